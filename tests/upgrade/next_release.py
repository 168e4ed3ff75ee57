"""``python -m tests.upgrade.next_release rest|worker``: the release after this one, which writes messages of the next version.

It reads those of this release, too, as every release does.
"""

from __future__ import annotations

import sys

import rest.__main__
import worker.__main__
from facerec import jobs

if __name__ == "__main__":
    jobs.JOB_VERSION += 1
    mains = {"rest": rest.__main__.main, "worker": worker.__main__.main}
    sys.exit(mains[sys.argv[1]]([]))
