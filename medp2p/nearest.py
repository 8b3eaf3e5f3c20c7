"""The known word that somebody most likely meant, for messages about words that are not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant, if there is one like it.

    Examples:
        >>> nearest("batchsize", ["batch_size", "betas"]), nearest("xyz", ["batch_size"]), nearest("MR", ["mr", "ct"])
        ('batch_size', None, 'mr')
    """
    words = list(known)
    same = (each for each in words if each.casefold() == word.casefold())
    return next(same, None) or next(iter(get_close_matches(word, words, n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """A cure: the known word that was most likely meant; `otherwise` where there is none like it.

    Examples:
        >>> did_you_mean("betta", ["betas"], "remove it"), did_you_mean("xyz", ["betas"], "remove it")
        ('did you mean `betas`?', 'remove it')
    """
    meant = nearest(word, known)
    return f"did you mean `{meant}`?" if meant else otherwise
