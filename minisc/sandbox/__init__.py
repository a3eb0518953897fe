"""Run a program that nobody trusts, and find out whether it does what it should.

Three kinds of processes, each weaker than the one before:

    pool        in our own process: starts servers, hands out programs, collects outcomes in order   (isolated.py, worker.py)
    server      a small warm Python, one a worker, which never sees a program's text: it forks       (server.py, confine.py)
    examiner    one a program: holds the check, asks, compares, says what came out                   (examiner.py)
    candidate   one a program: runs the program and answers the examiner's questions                 (candidate.py)

The examiner and the candidate are two processes on purpose. The usual harnesses run program and tests in one interpreter,
where a program can end the process with success, find the harness in its frames, or return an object that equals
everything. Here a program only ever sees the arguments of a call, its answer is data (`wire.py`) and is compared
elsewhere, by code that came into memory after the fork. The price is a second fork (about a millisecond) and that values
must be plain data, or are handled at a distance.

What is *not* protected against, at any level: bugs of the kernel and side channels (there is no second kernel); a program
that knows the tests by heart; a shared machine slowed down for as long as the limits allow; memory up to `processes` times
`memory_bytes` plus `scratch_bytes`. Below `full` the files that the account may read can be read. Below `namespaces` other
processes of the account are visible. At `rlimits` the network is open, other processes of the same account may be signalled,
and a program that does so spoils its own and its neighbours' outcome, though it cannot make itself pass by that. A program
run without a check `passed` when it says that it came to its end; only a check is evidence.
"""
