"""Who may change something: tokens, compared in constant time, and few wrong guesses."""

from __future__ import annotations

import hmac
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Final

log = logging.getLogger(__name__)

# A person mistypes a few times; a program that guesses gets nowhere at ten a minute.
WRONG_A_MINUTE: Final = 10
MINUTE_S: Final = 60.0
# Addresses whose wrong guesses are remembered; who comes from more of them is not stopped by counting.
ADDRESSES: Final = 1000


class Forbidden(Exception):
    """A change is not allowed; `status` is the HTTP status that says so, `retry_s` when to come back."""

    def __init__(self, status: int, message: str, retry_s: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_s = retry_s


class Access:
    """Knows the tokens (name → token) and counts wrong ones by the address they came from."""

    def __init__(self, tokens: Mapping[str, str], ticks: Callable[[], float]) -> None:
        self._tokens = {name: token.encode() for name, token in tokens.items()}
        self._ticks = ticks
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def __repr__(self) -> str:
        return f"Access({', '.join(self._tokens)})"

    def who(self, authorization: str | None, address: str) -> str:
        """The name of the token in an Authorization header; Forbidden if it holds none of them."""
        if not self._tokens:
            raise Forbidden(
                403,
                "nothing can be changed here: no token is configured; "
                'write api: {tokens: {NAME: "${SECRET}"}} in the site file and restart the agent',
            )
        self._check_guesses(address)
        scheme, _, given = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise Forbidden(401, "a change needs a token; send the header Authorization: Bearer TOKEN")
        # All are compared, always: the time taken tells nothing.
        token = given.strip().encode("utf-8", "replace")
        matching = [name for name, held in self._tokens.items() if hmac.compare_digest(held, token)]
        if not matching:
            self._note_wrong(address)
            raise Forbidden(401, "this token is not one of those in the agent's site file")
        return matching[0]

    def _check_guesses(self, address: str) -> None:
        wrong = self._wrong.get(address)
        now = self._ticks()
        while wrong and now - wrong[0] >= MINUTE_S:
            wrong.popleft()
        if wrong is not None and len(wrong) >= WRONG_A_MINUTE:
            wait = max(1, round(MINUTE_S - (now - wrong[0]) + 0.5))
            raise Forbidden(429, f"too many wrong tokens from {address}; try again in {wait} s", wait)

    def _note_wrong(self, address: str) -> None:
        wrong = self._wrong.setdefault(address, deque(maxlen=WRONG_A_MINUTE))
        self._wrong.move_to_end(address)
        wrong.append(self._ticks())
        if len(self._wrong) > ADDRESSES:
            self._wrong.popitem(last=False)
        log.warning("api: a wrong token from %s, %d within a minute", address, len(wrong))
