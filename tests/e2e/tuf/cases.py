"""A list of cases, each with a repository and a client of its own, run a few at a time."""

import concurrent.futures
import sys
import traceback

from repository import Client, Repository, Server

CASES = []


def case(values=None):
    """Registers a case; with values, once for each (of a dict: for each key)."""

    def add(function):
        title = function.__name__.replace("_", " ")
        if values is None:
            CASES.append((title, function, ()))
        for value in values or ():
            named = getattr(value, "__name__", value)
            CASES.append((f"{title} ({named})", function, (value,)))
        return function

    return add


def expect(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r:.400}\n  wanted {wanted!r:.400}")


def run_one(server, program, number):
    title, function, arguments = CASES[number]
    repository = Repository(server, str(number))
    client = Client(program, repository)
    try:
        function(repository, client, *arguments)
        return f"ok {number + 1} - {title}"
    except Exception:
        return (f"not ok {number + 1} - {title}\n{traceback.format_exc()}"
                f"  tuf-client said: {client.said}\n  asked for: {repository.asked[-8:]}")


def run_all(program):
    server = Server()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: run_one(server, program, number),
                                range(len(CASES))))
    print("\n".join(answers))
    failed = sum(answer.startswith("not ok") for answer in answers)
    print(f"{len(answers) - failed} passed, {failed} failed")
    sys.exit(failed != 0)
