"""What the people of the demo type: `mgeo` commands, shown as they are typed and really run."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from contracts.errors import FatalError

Role = Literal["model team", "approver", "operator"]
Tell = Callable[[str], None]
"""Prints one line."""


_THIN: Final = "– too thin"
"""Dozens of provinces are, in a few minutes of traffic: counted here, listed in the report."""


class People:
    """Runs commands for them.

    Args:
        environment: of every command.
        tell: where commands and what they say on standard error are shown.
        shorter: long paths and what is shown instead of them.
    """

    def __init__(
        self, environment: Mapping[str, str], tell: Tell, shorter: Mapping[str, str]
    ) -> None:
        self._environment = environment
        self._tell = tell
        self._shorter = shorter

    async def mgeo(self, role: Role, *arguments: str, expect: Sequence[int] = (0,)) -> str:
        """Run one command; what it printed on standard output.

        Raises:
            FatalError: ``demo_went_astray`` when it left with another code than expected.
        """
        self._tell(f"{role} $ mgeo {self._shown(shlex.join(arguments))}")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "deploy.cli", *arguments),
            env=dict(self._environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            printed, _ = await asyncio.gather(_whole(process.stdout), self._pass_on(process.stderr))
            code = await process.wait()
        except BaseException:
            if process.returncode is None:
                process.terminate()
                await process.wait()
            raise
        if code not in expect:
            raise FatalError(
                f"mgeo {' '.join(arguments[:2])} left with {code}, expected "
                + " or ".join(map(str, expect)),
                code="demo_went_astray",
                hint="its own words stand above; the reports and logs are kept",
            )
        return printed

    async def json(self, role: Role, *arguments: str, expect: Sequence[int] = (0,)) -> Any:
        """The same for a command that prints one JSON document."""
        return json.loads(await self.mgeo(role, *arguments, "--output", "json", expect=expect))

    async def _pass_on(self, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None  # noqa: S101 - it was asked for as a pipe
        thin = 0
        async for line in stream:
            text = line.decode(errors="replace").strip()
            if _THIN in text:
                thin += 1
            elif text:
                self._tell(f"    {self._shown(text)}")
        if thin:
            self._tell(f"    and {thin} provinces with too little traffic to be judged alone")

    def _shown(self, text: str) -> str:
        for long, short in self._shorter.items():
            text = text.replace(long, short)
        return text


async def _whole(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None  # noqa: S101 - it was asked for as a pipe
    return (await stream.read()).decode()
