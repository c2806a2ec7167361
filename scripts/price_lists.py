"""The two public price lists that models.yaml is compared with: what they say of a model, in Keyway's words."""

import datetime
import re
import sys
from decimal import Decimal
from fractions import Fraction

LITELLM, GENAI = "litellm 1.110.2", "genai-prices 0.2.3"

# A Friday at an hour at which nothing is cheaper: the rates of a model are those of dear hours.
NOW = datetime.datetime(2026, 11, 27, 2, tzinfo=datetime.timezone.utc)

RATES = {
    # ours: (litellm's key, genai-prices' key)
    "input": ("input_cost_per_token", "input_mtok"),
    "cached_input": ("cache_read_input_token_cost", "cache_read_mtok"),
    "cache_write": ("cache_creation_input_token_cost", "cache_write_mtok"),
    "cache_write_1h": ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_mtok"),
    "cache_write_12h": ("cache_creation_input_token_cost_above_12hr", None),
    "output": ("output_cost_per_token", "output_mtok"),
    "audio_input": ("input_cost_per_audio_token", "input_audio_mtok"),
    "cached_audio_input": ("cache_read_input_audio_token_cost", "cache_audio_read_mtok"),
    "audio_output": ("output_cost_per_audio_token", "output_audio_mtok"),
}
# Under which names a list has a provider's models.
IN_LITELLM = {name: f"{name}/" for name in ["xai", "gemini", "mistral", "groq", "deepseek"]}
IN_GENAI = {"xai": "x-ai", "gemini": "google"}
TIERS = {"priority": "priority", "fast": "priority", "flex": "flex", "batch": "batches", "ultrafast": "ultrafast"}
# What a list says that Keyway has no figures for, because no answer counts it apart.
NOT_COUNTED = re.compile(
    r"_image|_video|_pixel|_character|_second|per_audio_per|_decisions|fedramp_|_hit$|reasoning_token"
    r"|cache_creation_input_audio|^search_free|_requests_count|google_maps|per_query"
)


class Litellm:
    """One model of litellm's table. It has no dates."""

    name = LITELLM

    def __init__(self, provider, model, table):
        self.row = table.get(IN_LITELLM.get(provider, "") + model) or table.get(f"{provider}/{model}")
        self.figures, self.borders, self.suffixes = {}, set(), set()
        for key, value in (self.row or {}).items():
            self.read(key, value)

    def read(self, key, value):
        if not isinstance(value, (int, Decimal)) or isinstance(value, bool) or "cost" not in key:
            return
        if key == "output_cost_per_reasoning_token" and value != self.row["output_cost_per_token"]:
            sys.exit(f"{self.name} has a price of its own for reasoning, which is output here: {self.row}")
        if NOT_COUNTED.search(key):
            return
        suffix = re.search(r"_(batches|flex|priority|ultrafast)$", key)
        plain = key[: suffix.start()] if suffix else key
        border = re.search(r"_above_(\d+)k_tokens", plain)
        plain = plain.replace(border.group(), "") if border else plain
        rate = next((rate for rate, (theirs, _) in RATES.items() if theirs == plain), None)
        if rate is None:
            sys.exit(f"{self.name} has a figure that nobody knows here: {key}")
        tokens = int(border.group(1)) * 1000 if border else None
        self.borders |= {tokens} - {None}
        self.suffixes |= {suffix.group(1)} if suffix else set()
        self.figures[rate, tokens, suffix and suffix.group(1)] = Fraction(value) * 10**6

    def rates(self, at, border, term=None, value=None):
        """Its figures at a time, beyond a border, on a term; None: it says nothing of that."""
        if self.row is None or at.date() != NOW.date():
            return None
        theirs = None if border is None else next((b for b in self.borders if border in (b, b + 1)), -1)

        def plain(suffix):
            found = self.figures.items()
            return {rate: figure for (rate, tokens, of), figure in found if (tokens, of) == (theirs, suffix)} or None

        if term == "service_tier":
            return plain(TIERS.get(value, value))
        factors = self.row.get("provider_specific_entry", {})
        region = self.row.get(f"regional_processing_uplift_multiplier_{value}")
        factor = factors.get(value) or (region if term == "region" else None) if term else 1
        rates = plain(None)
        return rates and factor and {rate: figure * Fraction(factor) for rate, figure in rates.items()}

    def search(self, _at):
        each = self.row and self.row.get("search_context_cost_per_query")
        figures = {Fraction(figure) * 1000 for figure in each.values()} if each else {None}
        return figures.pop() if len(figures) == 1 else None

    def search_unit(self):
        figure = self.row and self.row.get("input_cost_per_query")
        return Fraction(figure) * 1000 if figure else None

    def tool(self, tool):
        # litellm has OpenAI's fee for file search in its code, not in the table.
        maps = self.row and self.row.get("google_maps_grounding_cost_per_query")
        return Fraction(maps) * 1000 if tool == "google_maps" and maps else None

    def terms(self):
        """Every term of which it says something."""
        names = {"batches": "batch"}
        tiers = {("service_tier", names.get(suffix, suffix)) for suffix in self.suffixes}
        factors = (self.row or {}).get("provider_specific_entry", {})
        regions = {r for r in ("us", "eu") if f"regional_processing_uplift_multiplier_{r}" in (self.row or {})}
        terms = tiers | {("region", region) for region in regions | ({"us"} & set(factors))}
        return terms | ({("speed", "fast")} & {("speed", name) for name in factors})

    def days(self):
        return set()

    def borders_missed(self, ours):
        """Its borders that are none of ours. It does not say on which side of them the border itself is."""
        return {border for border in self.borders if not ours & {border, border + 1}}

    def at_hour(self, at):
        """Its rates at an hour, where they depend on it."""
        cheap = self.row and self.row.get("off_peak_pricing")
        if not cheap:
            return None

        def holds(window):
            spans = window["hours_utc"]
            spans = [spans] if isinstance(spans, str) else spans
            ends = [[int(end[:2]) for end in span.split("-")] for span in spans]
            return at.isoweekday() in window["weekdays"] and any(a <= at.hour < (b or 24) for a, b in ends)

        row = cheap if any(holds(window) for window in cheap["windows"]) else self.row
        return {rate: Fraction(row[key]) * 10**6 for rate, (key, _) in RATES.items() if row.get(key)}


class GenaiPrices:
    """One model of genai-prices. It has dates and hours."""

    name = GENAI

    def __init__(self, provider, model, providers):
        known = providers.get(IN_GENAI.get(provider, provider))
        self.model = known and known.find_model(model)
        self.variants = (self.model and self.model.price_variants) or []

    def prices(self, at, context=None):
        found = self.model.get_prices(at, context or None)
        keys = {theirs for _, theirs in RATES.values()} | {"web_searches_kcount", "storage_searches_kcount"}
        stated = {key: figure for key, figure in vars(found).items() if figure is not None}
        for key in stated:
            if key not in keys and not re.search("image|video", key):
                sys.exit(f"{self.name} has a figure that nobody knows here: {key}")
        return stated

    def rates(self, at, border, term=None, value=None):
        if self.model is None:
            return None
        context = {"processing": "batch"} if value == "batch" else {term: value} if term else {}
        if context and not any(variant.when == context for variant in self.variants):
            return None
        found = {}
        for rate, (_, key) in RATES.items():
            figure = self.prices(at, context).get(key)
            tiers = getattr(figure, "tiers", [])
            if border is not None and tiers:
                figure = next((tier.price for tier in tiers if tier.start + 1 == border), None)
            elif border is not None and not term:
                figure = None
            else:
                figure = getattr(figure, "base", figure)
            if figure is not None:
                found[rate] = Fraction(figure)
        return found or None

    def search(self, at):
        figure = self.model and self.prices(at).get("web_searches_kcount")
        return Fraction(figure) if figure else None

    def search_unit(self):
        return None

    def tool(self, tool):
        figure = self.model and tool == "file_search" and self.prices(NOW).get("storage_searches_kcount")
        return Fraction(figure) if figure else None

    def terms(self):
        each = [pair for variant in self.variants for pair in variant.when.items()]
        terms = {("service_tier" if term == "processing" else term, value) for term, value in each}
        return terms - {("service_tier", "default")}

    def days(self):
        """Days to come on which its prices change."""
        prices = self.model.prices if self.model and isinstance(self.model.prices, list) else []
        starts = [getattr(one.constraint, "start_date", None) for one in prices]
        return {start.isoformat() for start in starts if start and start > NOW.date()}

    def borders_missed(self, ours):
        figures = self.prices(NOW).values() if self.model else []
        return {tier.start + 1 for figure in figures for tier in getattr(figure, "tiers", [])} - ours

    def at_hour(self, at):
        prices = self.model.prices if self.model and isinstance(self.model.prices, list) else []
        return self.rates(at, None) if any(hasattr(one.constraint, "start_time") for one in prices) else None
