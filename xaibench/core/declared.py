"""What a method declares beside its words, checked when its file is loaded."""

from xaibench.core.contract import FIT, NEEDS, Signature, read_signature
from xaibench.core.errors import XaibenchError
from xaibench.core.plugin import MethodTraits
from xaibench.core.suggest import did_you_mean


def check_method(method: Signature, traits: object) -> Signature | None:
    """Check a method, and return what its fit asks for; None without, and of other plugins.

    Raises:
        XaibenchError: a method asks for what no fit gives, or for masks that its declaration hides.
    """
    if not isinstance(traits, MethodTraits):
        return None
    _check_traits(traits)
    signature = None if traits.fit is None else read_signature(FIT, traits.fit)
    asked = {*method.words, *(signature.words if signature else ())}
    if ("fitted" in method.words) != (signature is not None):
        raise XaibenchError(
            "method: the word `fitted` and the argument fit= of the decorator go together; name "
            "the function that learns, or drop the other."
        )
    if traits.supervision and "training_masks" in asked:
        raise XaibenchError(
            "method: it asks for training_masks, so that what it learned from is what a run lets "
            "it see; leave supervision= out."
        )
    return signature


def _check_traits(traits: MethodTraits) -> None:
    """Refuse what no model can be asked for, and texts that no table can show.

    Raises:
        XaibenchError: a need isn't a word that models serve or not, or a text is empty or more than
            a line.
    """
    for word in traits.needs:
        if word not in NEEDS:
            raise XaibenchError(
                f"method: needs={{{word!r}}}: no model is asked for that"
                f"{did_you_mean(word, NEEDS)}; choose one of {', '.join(sorted(NEEDS))}."
            )
    for name, text in {"family": traits.family, "title": traits.title}.items():
        if text is not None and (not text.strip() or not text.isprintable()):
            raise XaibenchError(f"method: {name}={text!r}: give it a few words on one line.")
