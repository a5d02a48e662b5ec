"""The user's own, unmodified Claude CLI as a backend: one process answers one Messages request.

    program.py      which program it is, its version, and what that version can do
    environment.py  the environment and the flags of a process
    launcher.py     the first program of a process: ends it when the daemon dies
    watchdog.py     the same for systems without PR_SET_PDEATHSIG
    process.py      one process: its pipes, its end
    pool.py         how many processes run, and which are started ahead
    request.py      a Messages request as lines for the process
    output.py       the process's lines as events, errors and rate limits
    run.py          one request in one process, as a Reply
    backend.py      the Backend

What differs from the direct way is on the page docs/backends.md.
"""
