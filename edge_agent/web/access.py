"""The tokens of the site file: compared in constant time, and few wrong guesses."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType

from edge_agent.web.guesses import Forbidden, Guesses

log = logging.getLogger(__name__)


class Access:
    """Knows the tokens (name → token) and those of `read_tokens`, who only look; counts wrong ones by origin."""

    def __init__(
        self, tokens: Mapping[str, str], ticks: Callable[[], float], readers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._tokens = {name: token.encode() for name, token in (*tokens.items(), *readers.items())}
        self._readers = frozenset(readers)
        self._guesses = Guesses("tokens", ticks)

    def __repr__(self) -> str:
        return f"Access({', '.join(self._tokens)})"

    @property
    def knows_any(self) -> bool:
        """Whether there are tokens at all."""
        return bool(self._tokens)

    def only_looks(self, name: str) -> bool:
        """Whether this one, whom `who` has named, is a reader."""
        return name in self._readers

    def who(self, authorization: str | None, address: str) -> str:
        """The name of the token in an Authorization header; Forbidden if it holds none of them."""
        if not self._tokens:
            raise Forbidden(
                403,
                "nothing can be changed here: no token is configured; "
                'write api: {tokens: {NAME: "${SECRET}"}} in the site file and restart the agent, or log in',
            )
        source = f"from {address}"
        self._guesses.check(source)
        scheme, _, given = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise Forbidden(401, "this needs a token, or somebody who has logged in; "
                            "send the header Authorization: Bearer TOKEN")  # fmt: skip
        # All are compared, always: the time taken tells nothing.
        token = given.strip().encode("utf-8", "replace")
        matching = [name for name, held in self._tokens.items() if hmac.compare_digest(held, token)]
        if not matching:
            log.warning("api: a wrong token %s, %d within a minute", source, self._guesses.note(source))
            raise Forbidden(401, "this token is not one of those in the agent's site file")
        return matching[0]
