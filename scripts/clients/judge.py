"""Judges what a client made of a scenario: against the script, against what the mock was asked, and against Keyway's ledger."""

from dataclasses import dataclass, field

from scenarios import ANSWERED, BROKEN, CITY, WHOLE

EXPECTED = {"chat": WHOLE, "stream": WHOLE, "tools": f"weather {CITY}", "embed": "2 numbers"}
# A piece of the sentence by which Keyway says that a provider's answer broke off.
WHY = "broke off"


@dataclass
class Verdict:
    """What is said of one scenario: what the table shows, and what is wrong, by check."""

    shown: str
    wrong: dict = field(default_factory=dict)
    tokens: str = ""


def judge(scenario, told, arrived, rows):
    """`told`: the program's line; `arrived`: what the mock was asked (mock.py); `rows`: the ledger's."""
    if told is None:
        return Verdict("nothing", {scenario: "the program ended without a word"})
    if scenario in ANSWERED:
        verdict = answered(scenario, told)
    elif scenario in BROKEN:
        verdict = broken(scenario, told, arrived, rows)
    else:
        verdict = refused(scenario, told, arrived)
    if not arrived:
        verdict.wrong[scenario] = f"{scenario}: the provider was not asked: {said(told)}"
    elif scenario in BROKEN and "stream" not in [came for _, came in arrived]:
        verdict.wrong[scenario] = f"{scenario}: no stream was begun, so none was broken: {said(told)}"
    if len(rows) < len(arrived):
        verdict.wrong["ledger"] = f"{scenario}: the ledger has {len(rows)} of {len(arrived)} calls"
    if scenario in ANSWERED and told["ok"]:
        compare_tokens(scenario, told["tokens"], rows, verdict)
    return verdict


def answered(scenario, told):
    if told["ok"] and told["text"] == EXPECTED[scenario]:
        return Verdict("yes")
    return Verdict("no", {scenario: f"{scenario}: {said(told)}"})


def refused(scenario, told, arrived):
    status = {"limited": 429, "refused": 401, "failing": 500}[scenario]
    if scenario == "limited" and told["ok"]:
        if told["text"] == WHOLE and len(arrived) > 1:
            return Verdict(f"again after {arrived[1][0] - arrived[0][0]:.1f} s")
        return Verdict("no", {scenario: f"limited: {said(told)} after {len(arrived)} calls"})
    if told["ok"]:
        return Verdict("no", {scenario: f"{scenario}: taken for an answer: {told['text']!r}"})
    error = told["error"]
    if status not in [came for _, came in arrived]:
        return Verdict(name(error), {scenario: f"{scenario}: the provider did not refuse it: {said(told)}"})
    # What failed may be put in other words; whose fault it is may not.
    if status < 500 and error["status"] != status and str(status) not in error["message"] and "RateLimit" not in error["class"]:
        return Verdict(name(error), {scenario: f"{scenario}: the status {status} is not to be seen: {said(told)}"})
    return Verdict(name(error))


def broken(scenario, told, arrived, rows):
    whole = told["ok"] and told["text"] == WHOLE and len(arrived) > 1
    if whole:
        verdict = Verdict("asks again")
    elif told["ok"]:
        return Verdict("**a torso for an answer**", {scenario: f"{scenario}: a torso is taken for an answer: {told['text']!r}"})
    else:
        verdict = Verdict(name(told["error"]) + (", says why" if WHY in told["error"]["message"] else ""))
    ended = [row["outcome"] for row in rows if row["streamed"]]
    if "completed" in ended:
        verdict.wrong[f"{scenario} outcome"] = f"{scenario}: the ledger says of the broken answer that it completed"
    return verdict


def compare_tokens(scenario, shown, rows, verdict):
    """Whether the client shows what the ledger has. A client that shows nothing cannot differ."""
    good = [row for row in rows if row["http_status"] == 200]
    ledger = [sum_of(good, "input_tokens"), sum_of(good, "output_tokens")]
    if None in ledger:
        verdict.tokens = "unknown"
        verdict.wrong[f"{scenario} tokens"] = f"{scenario}: the ledger does not know the tokens; the client shows {shown}"
        return
    verdict.tokens = "equal" if shown else "none"
    if shown and list(shown) != ledger:
        verdict.tokens = "differ"
        verdict.wrong[f"{scenario} tokens"] = f"{scenario}: the client shows {shown[0]} in, {shown[1]} out; the ledger {ledger[0]}, {ledger[1]}"


def sum_of(rows, name):
    figures = [row[name] for row in rows]
    return None if None in figures or not figures else sum(figures)


def name(error):
    return error["class"].rpartition(".")[2].lstrip("_")


def said(told):
    return repr(told["text"]) if told["ok"] else f"{told['error']['class']}: {' '.join(told['error']['message'].split())[:300]}"
