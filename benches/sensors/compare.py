"""Compares the project's simulated sensors with a second implementation (`sensors.py`) on the same loads.

    python compare.py cases          prints the cases as JSON
    python compare.py check <FILE    checks the answers, prints a table, fails where the two differ

`cargo test -p simulate --test peer` does both: it answers each case with the project's simulator. A case is a sensor without
noise and rounding, a load, and times at which a reader reads. An answer has the renewals and what was read at those times.
The phase of a sensor is arbitrary: it is taken from the first renewal of the answer. Everything after it is computed here.
Needs numpy.
"""

import json
import random
import sys

from sensors import Chip, Load, renewals, seen_at

# Largest difference in W at loads of 4 to 15 W: what steps of 1 to 10 µs leave.
TOLERANCE = 2e-3

PLAIN = {
    "bus_mv": 5000.0,
    "quantum_ma": 0.0,
    "noise_ma": 0.0,
}

FAMILIES = {
    "INA3221, AVG 1, one channel, 140 µs": {"family": "recursive", "samples": 1, "conversion_us": 140.0, "cycle_us": 280.0},
    "INA3221, AVG 1, three channels, 1.1 ms": {
        "family": "recursive", "samples": 1, "conversion_us": 1100.0, "cycle_us": 6600.0},
    "INA3221, AVG 4, three channels, 140 µs": {
        "family": "recursive", "samples": 4, "conversion_us": 140.0, "cycle_us": 840.0},
    "INA3221, AVG 512, three channels, 140 µs": {
        "family": "recursive", "samples": 512, "conversion_us": 140.0, "cycle_us": 840.0},
    "INA226, AVG 4, 140 µs": {"family": "block", "samples": 4, "conversion_us": 140.0, "spacing_us": 280.0},
    "INA226, AVG 16, 204 and 588 µs": {"family": "block", "samples": 16, "conversion_us": 204.0, "spacing_us": 792.0},
    "INA238, AVG 16, 1,052 µs": {"family": "block", "samples": 16, "conversion_us": 1052.0, "spacing_us": 3156.0},
    "INA219, 532 µs": {"family": "window", "refresh_us": 1064.0, "window_us": 532.0},
    "NVML, 25 of 100 ms": {"family": "window", "refresh_us": 100000.0, "window_us": 25000.0},
    "running mean of 5 ms, every 1 ms": {"family": "window", "refresh_us": 1000.0, "window_us": 5000.0},
    "meter at 20 kHz": {"family": "meter", "period_us": 50.0},
    "RAPL, 1 ms": {"family": "counter", "refresh_us": 1000.0},
    "K20, 15 ms behind 0.84 s": {"family": "filtered", "refresh_us": 15000.0, "lag_us": 840000.0},
}


def slow(family):
    """Whether it takes seconds until something happens; the steps are longer then."""
    takes = family.get("samples", 1) * family.get("spacing_us", family.get("cycle_us", 0))
    return takes > 20_000 or family["family"] == "filtered" or family.get("window_us", 0) > 10_000


def case(name, family, number):
    """A load of idle, inferences of layers, idle, behind varying smoothing; a reader that is faster or slower than the chip."""
    rng = random.Random(number)
    step = 10_000 if slow(family) else 1_000
    pieces = [[60_000_000, 4.2]]
    length = 3_000_000_000 if slow(family) else 150_000_000
    while sum(piece[0] for piece in pieces) < length:
        # Ends of pieces fall on ends of steps, so that a step has one power.
        pieces.append([step * rng.randint(1, 400_000 // step + 40), round(rng.uniform(4.0, 15.0), 3)])
    pieces.append([50_000_000, 4.2])
    end = sum(piece[0] for piece in pieces)
    period = rng.choice([0.3, 0.9, 1.0, 2.3]) * {"meter": 50e3}.get(family["family"], 1e6)
    reads, now = [], 61e6
    while now < end - 1e6:
        reads.append(int(now))
        now += period * (1 + 0.02 * rng.uniform(-1, 1))
    return {
        "name": name,
        "sensor": {
            **PLAIN,
            "family": family,
            "smoothing_ns": [0, 50_000, 200_000, 2_000_000][number % 4],
            "delay_ns": [0, 140_000][number % 2],
            "clock_error": [0.0, 0.03, -0.02][number % 3],
        },
        "settled_w": 4.2,
        "pieces": pieces,
        "read_ns": reads,
        "seed": number,
        "step_ns": step,
    }


def cases():
    return [case(name, family, 5 * i + k) for i, (name, family) in enumerate(FAMILIES.items()) for k in range(4)]


def compare(one, answer):
    """The largest difference of a case in W, how many renewals and how many readings it has."""
    sensor, family = one["sensor"], one["sensor"]["family"]
    chip = Chip(Load(one["settled_w"], one["pieces"]), sensor["smoothing_ns"], one["step_ns"])
    end = sum(piece[0] for piece in one["pieces"])
    theirs = answer["renewals"]
    delay, slower = sensor["delay_ns"], 1 + sensor["clock_error"]
    mine = renewals(family, chip, theirs[0][0] - delay, end - delay, slower)
    if abs(len(mine) - len(theirs)) > 1:
        raise SystemExit(f"{one['name']}: {len(theirs)} renewals, the second implementation has {len(mine)}")
    counter = family["family"] == "counter"
    worst = 0.0
    for (at, value), (their_at, their_value) in zip(mine, theirs):
        # Whole nanoseconds, by a clock that runs on from the first.
        if abs(at + delay - their_at) > 1.5 + 1e-9 * end:
            raise SystemExit(f"{one['name']}: renewed at {their_at} ns, expected at {at + delay:.1f} ns")
        # A counter's µJ over a refresh is a power.
        scale = 1e3 / (family["refresh_us"] * 1e3) if counter else 1.0
        worst = max(worst, abs(value - their_value) * scale)
    read, before = 0, None
    ordered = [entry for entry in answer["readings"]]
    for (time, value), index in zip(ordered, seen_at([entry[0] for entry in ordered], mine, delay)):
        near = min((abs(mine[k][0] + delay - time) for k in (index, index + 1) if 0 <= k < len(mine)), default=0)
        if index < 0 or near < 5:
            before = None
            continue
        expected = mine[index][1]
        if counter:
            this, expected = (time, expected), None
            if before is not None:
                expected = (this[1] - before[1]) / (this[0] - before[0]) * 1e3
            before = this
        if expected is not None and value is not None:
            worst = max(worst, abs(expected - value))
            read += 1
    return worst, len(theirs), read


def check(answers):
    print(f"{'sensor':<42} {'smoothing':>9} {'clock':>6} {'delay':>6} {'renewals':>8} {'readings':>8} {'difference':>12}")
    failed = False
    for one, answer in zip(cases(), answers, strict=True):
        worst, renewed, read = compare(one, answer)
        sensor = one["sensor"]
        print(
            f"{one['name']:<42} {sensor['smoothing_ns'] / 1e6:>6} ms {sensor['clock_error']:>+6.0%} "
            f"{sensor['delay_ns'] / 1e6:>3} ms {renewed:>8} {read:>8} {worst * 1e3:>9.4f} mW"
        )
        if worst > TOLERANCE or renewed < 3 or read < 50:
            failed = True
            print("  differs, or has too few to compare")
    if failed:
        raise SystemExit("the two implementations differ")


if __name__ == "__main__":
    if sys.argv[1:] == ["cases"]:
        json.dump(cases(), sys.stdout)
    elif sys.argv[1:] == ["check"]:
        check(json.load(sys.stdin))
    else:
        raise SystemExit(__doc__)
