"""Fields and sliders that ask what if, and the answers at the values that were evaluated."""

from xml.etree.ElementTree import Element

from simulations.page.html import Child, table, tag
from simulations.page.result import RED, Moved, Result
from simulations.page.units import UNKNOWN, usd_per_thousand
from simulations.page.whatif import BEST, Statistics, Wishes, best_models, means_tell, values


def whatif(result: Result, known: Statistics, number: int) -> Element:
    """Return the part of the page, its numbers as they are before anything is moved."""
    title = tag("h3", "What if?")
    if result.verdict == RED:
        return tag("section", title, tag("p", "Not shown: the gate refused the log.", class_="absent"))
    if known.asked is None or not (known.policies or known.cells):
        absent = tag("p", "Not known. The result has no objective, or no means to compute from.", class_="absent")
        return tag("section", title, absent)
    if not means_tell(result, known):
        why = "Not shown: requests of this log have values of their own, and means alone do not tell what they come to."
        return tag("section", title, tag("p", why, class_="absent"))
    says = "Move what you are not sure of; values and the picture of cost and quality follow."
    notes = ["Policies are valued by their estimated components; without a model that one used, its value is unknown."]
    if known.cells:
        chosen = f"“{BEST}” is chosen by the same means it is valued by: model-based, too good, without guarantee."
        notes.append(chosen)
    return tag(
        "section",
        title,
        tag("p", says, class_="note"),
        tag("div", _controls(known, known.asked, number), _answers(known, known.asked), class_="columns"),
        tag("p", " ".join(notes), class_="note"),
        id=f"whatif-{number}",
        class_="whatif",
    )


def _controls(known: Statistics, wishes: Wishes, number: int) -> Element:
    return tag(
        "form",
        _value_field("answer", "A good answer is worth", wishes.answer_value_usd, number),
        _value_field("second", "A second of waiting costs", wishes.second_value_usd, number),
        tag("fieldset", tag("legend", "Models: offered, price"), *(_model(model) for model in known.models)),
        tag("p", class_="complaint", role="alert"),
        tag("button", "As evaluated", type="reset"),
        class_="wishes",
    )


def _value_field(part: str, text: str, value: float, number: int) -> Element:
    """Return a slider over four decades about a value, and a field for any other."""
    name = f"{part}-value-{number}"
    shown = tag("input", type="number", id=name, class_=f"{part}-value", min="0", step="any", value=repr(value))
    slider = tag(
        "input",
        type="range",
        min="-2",
        max="2",
        step="0.05",
        value="0",
        class_=f"{part}-slider",
        data_about=repr(value),
    )
    slider.set("aria-label", f"{text}, slider")
    return tag("p", tag("label", f"{text} $", for_=name), shown, slider, class_="wish")


def _model(model: str) -> Element:
    offered = tag("input", type="checkbox", class_="offered", data_model=model, checked=True)
    price = tag("input", type="range", class_="price", min="0", max="3", step="0.05", value="1", data_model=model)
    price.set("aria-label", f"price of {model}, times")
    factor = tag("output", "× 1", class_="factor")
    return tag("div", tag("label", offered, f" {model}"), price, factor, class_="model")


def _answers(known: Statistics, wishes: Wishes) -> Element:
    found, best = values(known, wishes), best_models(known, wishes)
    worth: list[list[Child]] = [
        [name, tag("span", usd_per_thousand(value), class_="value", data_name=name, data_value=_exact(value))]
        for name, value in found.items()
    ]
    choices: list[list[Child]] = [
        [category, tag("span", model or UNKNOWN, class_="choice", data_category=category)]
        for category, model in best.items()
    ]
    return tag(
        "div",
        table(("policy", "value per 1,000 requests"), worth),
        _otherwise() if any(means.moved_by != Moved.NOTHING for means in known.policies.values()) else None,
        table(("category", "best model"), choices) if known.cells else None,
        aria_live="polite",
        class_="answers",
    )


def _otherwise() -> Element:
    """Return what is said, once something is moved, of policies that would have chosen otherwise."""
    says = "What learns, or is chosen in hindsight or by price, would have chosen otherwise. To know, run "
    return tag("p", says, tag("code", "routeward replay LOG"), class_="otherwise note", hidden=True)


def _exact(value: float | None) -> str:
    return "" if value is None else repr(value)
