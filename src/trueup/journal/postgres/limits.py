"""How long anything here may take, and how often it is tried: every bound in one place."""

SERVER_VERSION_MIN = 140_000
"""As ``server_version_num`` says it: the oldest release that its makers still mend."""

CONNECT_TIMEOUT_S = 10.0
"""For one attempt to reach and enter the server."""

COMMAND_TIMEOUT_S = 60.0
"""For one statement, and for a look at the connection pool; then its connection is given up."""

LOCK_TIMEOUT_MS = 20_000
"""How long one transaction waits for another's lock before it steps back and tries again."""

TRIES_MAX = 8
"""Attempts at one transaction."""

PATIENCE_S = 60.0
"""After which no further attempt is begun."""

BACKOFF_FIRST_S = 0.05
BACKOFF_MAX_S = 5.0
"""Waits between attempts are drawn from 0 to a bound that doubles from the first of these to the second."""

ANSWER_TIMEOUT_S = 300.0
"""How long a thread waits for the loop in all: more than the attempts above can take."""

POOL_MAX = 4
"""Connections for reading."""

FRAME_PAGES = (4, 64, 1_024)
"""Frames per read transaction: few at first, since many readers want one, then more."""

PAGE_BYTES_MAX = 8 << 20
"""Bytes of frames after which a page ends, whatever its number of frames."""
