"""`mastery worker` that can make no file larger than the bytes that the file FILE_LIMIT names says.

Setting a limit takes no rights, unlike a small disk. Run as `python -m tests.chaos.limited_worker`.
"""

import os
import resource
from pathlib import Path

from app.cli import main

if __name__ == "__main__":
    limit = int(Path(os.environ.pop("FILE_LIMIT")).read_text())
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    main(["worker"])
