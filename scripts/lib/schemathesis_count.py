"""Sums up what schemathesis was answered, and fails unless it was good and enough.

usage: schemathesis_count.py DOCUMENT CASES-AT-LEAST COUNTS...

DOCUMENT is the description by OpenAPI, COUNTS are what schemathesis_hooks.py wrote. Each
operation has to have succeeded at least once, none may have answered 5xx or what is not
described, and methods that no operation has must all have been refused.
"""

import json
import sys

OTHER = "another method"


def operations(document):
    for path in document["paths"].values():
        for operation in path.values():
            yield operation["operationId"], set(operation["responses"])


def total(files):
    sums = {}
    for file in files:
        with open(file, encoding="utf-8") as counts:
            for id, answers in json.load(counts).items():
                of = sums.setdefault(id, {})
                for status, count in answers.items():
                    of[status] = of.get(status, 0) + count
    return sums


def faults(document, sums):
    described = dict(operations(document), **{OTHER: {"401", "403", "404", "405"}})
    for id, answers in sums.items():
        for status in sorted(answers):
            if status.startswith("5"):
                yield f"{id} answered {status}"
            elif status not in described[id]:
                yield f"{id} answered {status}, which is not described"
    for id, statuses in described.items():
        good = [status for status in statuses if status < "300"]
        if good and not any(sums.get(id, {}).get(status) for status in good):
            yield f"{id} never succeeded: {sums.get(id, 'it was not tried')}"


def main(document, least, *files):
    with open(document, encoding="utf-8") as file:
        document = json.load(file)
    sums = total(files)
    for id, answers in sorted(sums.items()):
        print(f"{id:20}", *(f"{status}: {count}" for status, count in sorted(answers.items())))
    wrong = list(faults(document, sums))
    cases = sum(sum(answers.values()) for answers in sums.values())
    if cases < int(least):
        wrong.append(f"{cases} cases are fewer than {least}")
    print(f"{cases} cases, {len(sums)} operations", *wrong, sep="\n")
    sys.exit(bool(wrong))


main(*sys.argv[1:])
