"""Another DICOM application on the network, as it is typed: AET@host:port."""

import re
from dataclasses import dataclass

from medp2p.errors import ConfigError

_PEER = re.compile(r"(?P<title>[^@]*)@(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^@:\[\]/\s]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Peer:
    """Whom to send to.

    Attributes:
        title: Application entity title.
        host: Name or address.
        port: TCP port.
    """

    title: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Peer":
        """The peer that a word names.

        Raises:
            ConfigError: It names none.

        Examples:
            >>> Peer.parse("ORTHANC@127.0.0.1:4242")
            Peer(title='ORTHANC', host='127.0.0.1', port=4242)
            >>> Peer.parse("PACS@[::1]:104").host
            '::1'
        """
        found = _PEER.fullmatch(text)
        if not found or not 1 <= int(found["port"]) <= 65535:
            raise ConfigError(None, "this names no DICOM application", key="--send", found=repr(text),
                              expected="AET@host:port", fix="write for example ORTHANC@127.0.0.1:4242")  # fmt: skip
        return cls(checked_title(found["title"], "--send"), found["six"] or found["host"], int(found["port"]))


def checked_title(text: str, key: str) -> str:
    """An application entity title (PS3.5 6.2, AE) without the blanks around it.

    Args:
        text: What was typed.
        key: The option, for messages.

    Raises:
        ConfigError: It is none.

    Examples:
        >>> checked_title(" PACS ", "--allow")
        'PACS'
    """
    title = text.strip(" ")
    if not 1 <= len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise ConfigError(None, "this is no application entity title", key=key, found=repr(text),
                          expected="1 to 16 plain characters", fix="ask whoever runs it what its title is")  # fmt: skip
    return title
