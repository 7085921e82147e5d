"""What holds for the rules of all classes together, in words: for the report's table and the model card."""

from pipeline.masks.rule import FAINTEST, Rules


def rule_notes(rules: Rules) -> str:
    return " ".join([_presence_note(rules), *_following_note(rules)])


def _presence_note(rules: Rules) -> str:
    weight = rules.classifier_weight
    forced = "; where no class is present, the strongest is forced" if rules.force_strongest else ""
    return f"Presence is {100 * weight:.0f} % classifier and {100 - 100 * weight:.0f} % strongest pixels{forced}."


def _following_note(rules: Rules) -> list[str]:
    if not rules.follow_strongest:
        return []
    power = "" if rules.follow_strongest == 1 else f", to the power of {rules.follow_strongest:g}"
    strongest = f"the mean of its own strongest pixels there ({FAINTEST:g} at least){power}"
    return [f"In every picture the pixel threshold of a class holds times {strongest}."]
