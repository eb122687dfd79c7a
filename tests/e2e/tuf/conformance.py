"""tuf-client against repositories that python-tuf made. Called with the path of tuf-client."""

import sys

import cases
import downloads  # noqa: F401
import limits  # noqa: F401
import signatures  # noqa: F401
import versions  # noqa: F401
import workflow  # noqa: F401

cases.run_all(sys.argv[1])
