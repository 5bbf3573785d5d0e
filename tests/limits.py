"""Python code in a process of its own that may take only so much memory."""

import subprocess
import sys

_LIMIT = """
import resource, sys
from pathlib import Path
{imports}
pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
limit = pages * resource.getpagesize() + {memory}
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


def limited(
    imports: str, code: str, *words: object, memory: int = 1 << 30, timeout: float = 300
) -> "subprocess.CompletedProcess[str]":
    """Run ``imports``, then ``code`` with ``memory`` bytes of address space beyond what they took.

    ``words`` are its ``sys.argv[1:]``.
    """
    return subprocess.run(
        [sys.executable, "-c", _LIMIT.format(imports=imports, memory=memory) + code,
         *map(str, words)],
        capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
