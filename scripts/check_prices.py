#!/usr/bin/env python3
"""Compares every price of models.yaml with two public lists, and holds docs/prices.md to the outcome.

Where Keyway differs from a list, scripts/price_differences.json says why: a difference without a reason is a fault, and
so is a reason without a difference. Nothing is asked for but the two lists, from the package index, once.

    scripts/check_prices.py            compare, and fail when docs/prices.md is not what would be written
    scripts/check_prices.py --write    compare, and write docs/prices.md
"""

import datetime
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import textwrap
import venv
from decimal import Decimal
from fractions import Fraction

from price_lists import GENAI, LITELLM, NOW, RATES, GenaiPrices, Litellm

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/prices.md"
REASONS = ROOT / "scripts/price_differences.json"
VENV = ROOT / "target/price-lists-1.110.2-0.2.3"
WIDTH = 110
SEEN = "2026-11-28"
MONDAY = datetime.datetime(2026, 11, 23, tzinfo=datetime.timezone.utc)
# What a list charges a kind of token as for which it has no figure of its own.
ELSE = {"cache_write": "input", "audio_input": "input", "cached_audio_input": "cached_input", "audio_output": "output"}


def in_venv():
    """Goes on inside an environment that has the two lists."""
    python, ready = VENV / "bin/python", VENV / "ready"
    if not ready.exists():
        venv.create(VENV, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, GENAI.replace(" ", "==")], check=True)
        # Of litellm only its table is read.
        subprocess.run([*install, "--no-deps", LITELLM.replace(" ", "==")], check=True)
        ready.touch()
    if pathlib.Path(sys.prefix) != VENV:
        os.execv(python, [str(python), str(pathlib.Path(__file__).resolve()), *sys.argv[1:]])


def ours():
    """Keyway's own figures, as its catalog reads them."""
    listing = ["cargo", "run", "--locked", "--quiet", "-p", "keyway-providers", "--example", "price_list"]
    return json.loads(subprocess.run(listing, check=True, cwd=ROOT, capture_output=True).stdout)


def dollars(figure):
    """A fraction as decimal text."""
    return format((Decimal(figure.numerator) / Decimal(figure.denominator)).normalize(), "f")


class Check:
    """All comparisons, and what came of them."""

    def __init__(self, reasons):
        self.reasons, self.used, self.faults = reasons, set(), []

    def differs(self, of, case, figure, listed, our, their):
        """Notes a difference; the number of its reason."""
        provider, model = of
        for number, reason in enumerate(self.reasons, 1):
            fits = [
                reason["provider"] == provider,
                any(fnmatch.fnmatchcase(model, one) for one in reason["models"]),
                listed in reason["lists"],
                any(fnmatch.fnmatchcase(case, one) for one in reason.get("cases", ["*"])),
                figure in reason["figures"],
            ]
            if all(fits):
                self.used.add(number)
                return number
        what = f"{provider} {model} {case or 'ordinary'} {figure}: ours {our}, {listed} {their}"
        self.faults.append(f"no reason is given for a difference: {what}")
        return 0

    def rates(self, of, case, ours, each):
        """Compares rates with those of each list; what is said of each list, and the reasons."""
        said, reasons = [], set()
        stated = {name: dict(theirs) for name, theirs in each.items() if theirs}
        for name, theirs in each.items():
            if not theirs:
                said.append("-")
                continue
            other = []
            for rate in RATES:
                our, their = ours.get(rate), theirs.get(rate)
                if their is None and our is not None:
                    their = theirs.get(ELSE.get(rate))
                    if their == our:
                        stated[name][rate] = their
                    continue
                if our == their:
                    continue
                reasons.add(self.differs(of, case, rate, name, our and dollars(our), their and dollars(their)))
                other.append(f"{rate} {dollars(their)}")
            said.append(", ".join(other) or "same")
        for rate, our in ours.items():
            if our and not any(rate in theirs for theirs in stated.values()):
                reasons.add(self.differs(of, case, rate, "neither", dollars(our), None))
        return said, reasons

    def fee(self, of, case, figure, our, each):
        """As `rates`, for one figure."""
        said, reasons = [], set()
        for name, their in each.items():
            if their is not None and their != our:
                reasons.add(self.differs(of, case, figure, name, our and dollars(our), dollars(their)))
            said.append("-" if their is None else "same" if their == our else f"{figure} {dollars(their)}")
        if our and all(their is None for their in each.values()):
            reasons.add(self.differs(of, case, figure, "neither", dollars(our), None))
        return said, reasons

    def finish(self):
        for number, reason in enumerate(self.reasons, 1):
            if number not in self.used:
                self.faults.append(f"a reason no longer applies: {reason['why']}")


def figures(texts):
    return {name: Fraction(text) for name, text in texts.items()}


def moment(row):
    """A time at which a row's price holds: now where it does."""
    day = lambda text: datetime.datetime.fromisoformat(f"{text}T02:00:00+00:00")
    if row["until"] and day(row["until"]) <= NOW:
        return day(row["until"]) - datetime.timedelta(days=1)
    return day(row["from"]) if row["from"] and day(row["from"]) > NOW else NOW


def merged(said, more):
    """What is said of each list by two comparisons."""
    both = []
    for one, other in zip(said, more):
        parts = [part for part in (one, other) if part not in ("-", "same")]
        both.append(", ".join(parts) or ("same" if "same" in (one, other) else "-"))
    return both


def check_prices(check, section, lists):
    lines = []
    for row in section["prices"]:
        of = (section["provider"], row["model"])
        mine = figures(row["rates"])
        if row["mode"] != "chat":
            # They have no output, whatever a list says of it.
            mine.pop("output", None)
        at, border, case = moment(row), row["from_input_tokens"], row["cells"][1]
        each = {one.name: one.rates(at, border) for one in lists[row["model"]]}
        for theirs in each.values():
            if theirs and row["mode"] != "chat":
                theirs.pop("output", None)
                if not any(theirs.values()):
                    theirs.pop("input", None)
        said, reasons = check.rates(of, case, mine, each)
        if border is None:
            search = row["fees"].get("web_search") or row["fees"].get("grounded_prompt")
            each = {one.name: one.search(at) for one in lists[row["model"]] if one.name != LITELLM or at == NOW}
            each = {LITELLM: None, GENAI: None} | each
            more, why = check.fee(of, case, "search", search and Fraction(search), each)
            said, reasons = merged(said, more), reasons | why
            unit = Fraction(row["fees"].get("search_unit", "0"))
            each = {one.name: one.search_unit() for one in lists[row["model"]]}
            more, why = check.fee(of, case, "search_unit", unit, each)
            said, reasons = merged(said, more), reasons | why
        lines.append([*row["cells"], *said, notes(reasons)])
    return lines


def check_missing(check, section, lists):
    """What a list has and Keyway has not: borders, days and terms."""
    for model, both in lists.items():
        of = (section["provider"], model)
        rows = [row for row in section["prices"] if row["model"] == model]
        borders = {row["from_input_tokens"] for row in rows} - {None}
        days = {row["from"] for row in rows} - {None}
        ruled = [rule for rule in section["rules"] if model in rule["models"]]
        rules = {(rule["term"], value) for rule in ruled for value in rule["values"]}
        for one in both:
            for border in one.borders_missed(borders):
                check.differs(of, "", "border", one.name, None, border)
            for day in one.days() - days:
                check.differs(of, f"from {day}", "day", one.name, None, day)
            for term, value in one.terms() - rules:
                check.differs(of, f"{term} {value}", "rule", one.name, None, "a price")
            # At all other hours it has the rates of the model.
            hours = [rule["hours"] for rule in ruled if rule["hours"]]
            for hour in (hour for hour in range(7 * 24) if not any(one[hour] for one in hours)):
                theirs = one.at_hour(MONDAY + datetime.timedelta(hours=hour))
                if theirs and theirs != figures(rows[0]["rates"]):
                    check.differs(of, "", "hours", one.name, "no rule", f"other rates in hour {hour} of the week")


def check_rules(check, section, lists):
    lines = []
    for rule in section["rules"]:
        said, reasons = {LITELLM: set(), GENAI: set()}, set()
        for model in rule["models"]:
            of = (section["provider"], model)
            rows = [row for row in section["prices"] if row["model"] == model and moment(row) == NOW]
            for row in rows:
                border = row["from_input_tokens"]
                if border is not None and not rule["long_context"]:
                    for one in lists[model]:
                        for value in rule["values"]:
                            if one.rates(NOW, border, rule["term"], value):
                                case = f"{rule['cells'][0]}, {row['cells'][1]}"
                                reasons.add(check.differs(of, case, "rule", one.name, None, "a price"))
                                said[one.name].add("beyond the border")
                    continue
                mine = after(rule, figures(row["rates"]), border)
                if row["mode"] != "chat":
                    mine.pop("output", None)
                for value in rule["values"]:
                    case = f"{rule['term']} {value}" + (f", {row['cells'][1]}" if row["cells"][1] else "")
                    each = {one.name: one.rates(NOW, border, rule["term"], value) for one in lists[model]}
                    for theirs in each.values():
                        if theirs and row["mode"] != "chat":
                            theirs.pop("output", None)
                    more, why = check.rates(of, case, mine, each)
                    reasons |= why
                    for name, text in zip(said, more):
                        said[name].add(text if text in ("-", "same") else f"`{model}` {text}")
            if rule["hours"]:
                reasons |= check_hours(check, of, rule, figures(rows[0]["rates"]), lists[model], said)
        lines.append([*rule["cells"], *map(summed, said.values()), notes(reasons)])
    return lines


def check_hours(check, of, rule, dear, both, said):
    """Compares the rates at each hour of a rule with those of each list."""
    reasons = set()
    for one in both:
        for hour in (hour for hour, holds in enumerate(rule["hours"]) if holds):
            theirs = one.at_hour(MONDAY + datetime.timedelta(hours=hour))
            if theirs and theirs != after(rule, dear, None):
                when = f"hour {hour} of the week"
                reasons.add(check.differs(of, rule["cells"][0], "hours", one.name, "other rates", when))
                said[one.name].add("other rates at some of these hours")
            elif theirs:
                said[one.name].add("same")
    return reasons


def after(rule, rates, border):
    """Rates after a rule, exact."""
    instead = figures(rule["instead"]) if border is None else {}
    factor = Fraction(rule["multiply"])
    changed = {rate: figure if rate in rule["unchanged"] else figure * factor for rate, figure in rates.items()}
    return {rate: instead.get(rate, figure) for rate, figure in changed.items()}


def check_tools(check, section, lists):
    lines = []
    for tool in section["tools"]:
        said, reasons = {LITELLM: set(), GENAI: set()}, set()
        for model in tool["models"]:
            of = (section["provider"], model)
            each = {one.name: one.tool(tool["tool"]) for one in lists[model]}
            if not any(each.values()):
                # A fee of the provider's, whatever the model.
                continue
            more, why = check.fee(of, "", tool["tool"], Fraction(tool["per_thousand"]), each)
            reasons |= why
            for name, text in zip(said, more):
                said[name].add(text)
        lines.append([*tool["cells"], *map(summed, said.values()), notes(reasons)])
    return lines


def summed(said):
    """What is said of a list for several models."""
    other = sorted(said - {"-", "same"})
    return "; ".join(other) or ("same" if "same" in said else "-")


def notes(reasons):
    return ", ".join(f"({number})" for number in sorted(reasons - {0}))


def table(head, lines):
    width = len(head)
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * width, *lines)]


def paragraph(text):
    return textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)


INTRO = [
    f"""Every price of [models.yaml](../models.yaml), in US dollars for a million tokens, beside those of two public
    lists as they were on {SEEN}: {LITELLM} and {GENAI}. `make prices` compares all of them and holds this file to
    the outcome; `scripts/check_prices.py --write` writes it.""",
    """`same`: the list has the same figures, as far as it has any. `-`: it says nothing of the model or the case. A
    list that has no figure of its own for what is written to a cache, or for sound, charges it as other input.
    Anything else is what the list says instead, and the number behind it is the reason, below, why Keyway differs.
    What only one list says is taken from it; what neither says is left out. A fee stands in the row of its model:
    for a thousand searches of the web (`web_search`), for a thousand prompts that searched (`grounded_prompt`), for
    a thousand units of searching documents (`search_unit`).""",
    """Dates and hours are of UTC. litellm has no dates, so it is compared with today's prices only. Prices of the past
    that only a list has are not compared, and neither are figures for images, video and characters, which no answer
    counts apart.""",
]


def write(sections, check, tables):
    lines = ["# Prices", ""]
    for text in INTRO:
        lines += [paragraph(text), ""]
    for section, (prices, rules) in zip(sections, tables):
        lines += [f"## {section['display_name']}", ""]
        head = ["model", "case", *RATES, "fees", LITELLM, GENAI, "why"]
        lines += [*table(head, prices), ""]
        if rules:
            lines += [*table(["when", "what", "models", LITELLM, GENAI, "why"], rules), ""]
    lines += ["## Why Keyway differs", ""]
    for number, reason in enumerate(check.reasons, 1):
        models = ", ".join(f"`{model}`" for model in reason["models"])
        lines += [paragraph(f"({number}) {reason['provider']}, {models}: {reason['why']}"), ""]
    return "\n".join(lines)


def main():
    in_venv()
    from genai_prices import data  # noqa: PLC0415 - only there

    package = VENV / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/litellm"
    table_text = (package / "model_prices_and_context_window_backup.json").read_text()
    litellm = json.loads(table_text, parse_float=Decimal)
    providers = {provider.id: provider for provider in data.providers}
    sections, check, tables = ours(), Check(json.loads(REASONS.read_text())), []
    for section in sections:
        provider = section["provider"]
        models = dict.fromkeys(row["model"] for row in section["prices"])
        lists = {m: [Litellm(provider, m, litellm), GenaiPrices(provider, m, providers)] for m in models}
        prices = check_prices(check, section, lists)
        check_missing(check, section, lists)
        tables.append((prices, check_rules(check, section, lists) + check_tools(check, section, lists)))
    check.finish()
    if check.faults:
        sys.exit("\n".join(check.faults))
    document = write(sections, check, tables)
    if "--write" in sys.argv[1:]:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(document)
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != document:
        sys.exit("docs/prices.md is not what would be written: run scripts/check_prices.py --write")
    count = sum(len(prices) + len(rules) for prices, rules in tables)
    print(f"{count} rows compared, {len(check.reasons)} reasons for differences, all of them apply")


if __name__ == "__main__":
    main()
