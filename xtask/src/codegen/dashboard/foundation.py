"""Reads dashboards into the types of Grafana's Foundation SDK and prints what does not come back.

Those types are generated from Grafana's own schema, so a field that they do not know is mistyped
or in the wrong place. Usage: foundation.py DASHBOARD.json ...
"""

import json
import sys
import warnings

# The SDK would rather have us use a schema that file provisioning refuses.
warnings.simplefilter("ignore", DeprecationWarning)

from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402
from grafana_foundation_sdk.cog.plugins import register_default_plugins  # noqa: E402
from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: E402


def differences(ours, theirs, path="$"):
    """The paths of what `ours` has and `theirs` has not, or not with that value.

    What only `theirs` has is a default.
    """
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            inner = f"{path}.{name}"
            if name not in theirs:
                yield f"{inner} is lost"
            else:
                yield from differences(value, theirs[name], inner)
    elif isinstance(ours, list) and isinstance(theirs, list):
        if len(ours) != len(theirs):
            yield f"{path} has {len(theirs)} of {len(ours)} items"
        for number, (one, other) in enumerate(zip(ours, theirs)):
            yield from differences(one, other, f"{path}[{number}]")
    elif ours != theirs:
        yield f"{path} is {theirs!r} instead of {ours!r}"


def main(files):
    register_default_plugins()
    failed = False
    for file in files:
        with open(file, encoding="utf-8") as opened:
            ours = json.load(opened)
        theirs = json.loads(json.dumps(Dashboard.from_json(ours), cls=JSONEncoder))
        for difference in differences(ours, theirs):
            failed = True
            print(f"{file}: {difference}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
