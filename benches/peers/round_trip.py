"""Changes one scalar in each file of a list of jobs, by reading a YAML file into objects and writing it anew.

Usage: round_trip.py ruamel|pyyaml JOBS.json|--check. A file that the library does not read or write is refused: it is left out.
"""

import json
import os
import sys


def set_at(value, steps, new):
    keys = [next(iter(step.values())) for step in steps]
    for key in keys[:-1]:
        value = value[key]
    value[keys[-1]] = new


def ruamel():
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1 << 20

    def change(job, source, target):
        documents = list(yaml.load_all(source))
        set_at(documents[job["document"]], job["steps"], job["new"])
        yaml.dump_all(documents, target)

    return change


def pyyaml():
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    def change(job, source, target):
        documents = list(yaml.load_all(source, Loader=loader))
        set_at(documents[job["document"]], job["steps"], job["new"])
        yaml.dump_all(documents, target, Dumper=dumper, sort_keys=False, explicit_start=len(documents) > 1)

    return change


def main():
    change = {"ruamel": ruamel, "pyyaml": pyyaml}[sys.argv[1]]()
    if sys.argv[2] == "--check":
        return
    with open(sys.argv[2], encoding="utf-8") as file:
        jobs = json.load(file)
    for job in jobs:
        output = job["output"]
        try:
            with open(job["input"], encoding="utf-8", newline="") as source, open(
                output + ".part", "w", encoding="utf-8", newline=""
            ) as target:
                change(job, source, target)
        except Exception as error:  # Whatever the library says, the file is not changed.
            print(f"{job['input']}: {type(error).__name__}", file=sys.stderr)
            continue
        os.replace(output + ".part", output)


main()
