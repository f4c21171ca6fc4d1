"""Power sensors in small steps of time, written from the data sheets and from nothing else.

It shares no code and no method with the simulator of the project (`simulate/src/sensor`), which integrates in closed form:
here time goes in steps of at most 10 µs, the smoothing is a differential equation solved by the midpoint rule, and
every conversion is a sum over its steps.

INA3221: TI SBOS576, "Averaging function", "Conversion times". INA226: TI SBOS547. INA238: TI SLYS023. RAPL: Intel SDM, volume 3.
"""

import bisect

import numpy


class Load:
    """Piecewise constant power, which was `settled` at all times before zero. Times in ns."""

    def __init__(self, settled, pieces):
        self.settled = settled
        lengths = numpy.array([piece[0] for piece in pieces], dtype=numpy.float64)
        self.ends = numpy.cumsum(lengths)
        self.watts = numpy.array([piece[1] for piece in pieces], dtype=numpy.float64)

    def steps(self, step):
        """The power in each step; the ends of all pieces are multiples of the step."""
        count = int(round(self.ends[-1] / step))
        middles = (numpy.arange(count) + 0.5) * step
        return self.watts[numpy.searchsorted(self.ends, middles)]


def first_order(watts, settled, time_constant, step):
    """dy/dt = (P − y)/τ by the midpoint rule: the values at the ends of all steps, the first being the start."""
    if time_constant == 0:
        return numpy.concatenate([[settled], watts])
    ratio = step / time_constant
    values, y = [settled], settled
    for power in watts.tolist():
        half = y + (power - y) * ratio / 2
        y += (power - half) * ratio
        values.append(y)
    return numpy.array(values)


class Chip:
    """A load behind the smoothing of a board, as a chip sees it."""

    def __init__(self, load, smoothing, step):
        self.step = step
        self.settled = load.settled
        power = load.steps(step)
        self.values = first_order(power, load.settled, smoothing, step)
        # The energy up to the end of each step: by the trapezoidal rule behind a smoothing, by the step's power without.
        per_step = power if smoothing == 0 else (self.values[:-1] + self.values[1:]) / 2
        self.energy = numpy.concatenate([[0.0], numpy.cumsum(per_step * step)])

    def joules(self, time):
        """The energy since zero in W·ns; before zero the settled power flowed."""
        if time < 0:
            return self.settled * time
        place = time / self.step
        index = min(int(place), len(self.energy) - 2)
        return self.energy[index] + (self.energy[index + 1] - self.energy[index]) * (place - index)

    def conversion(self, end, length):
        """What an integrating converter gives for a conversion that ends at a time: the mean over its length."""
        return (self.joules(end) - self.joules(end - length)) / length


def renewals(family, chip, first, end, slower):
    """When the register takes a new value, from the first time on, and which: W, or µJ for an energy counter.

    `slower` is by how much the chip's clock makes every time longer. What came before the first renewal is settled power.
    """

    def us(name):
        return family[name] * 1e3 * slower

    kind = family["family"]
    out = []
    if kind == "window":
        # One conversion in each turn of all conversions.
        refresh, window = us("refresh_us"), us("window_us")
        for k in range(int((end - first) / refresh) + 1):
            at = first + k * refresh
            out.append((at, chip.conversion(at, window)))
    elif kind == "meter":
        period = us("period_us")
        for k in range(int((end - first) / period) + 1):
            at = first + k * period
            out.append((at, chip.conversion(at, period)))
    elif kind == "block":
        # Intermediate results are accumulated; the register is loaded when the set number is complete.
        samples, length, spacing = family["samples"], us("conversion_us"), us("spacing_us")
        for k in range(int((end - first) / (samples * spacing)) + 1):
            at = first + k * samples * spacing
            accumulator = sum(chip.conversion(at - i * spacing, length) for i in range(samples))
            out.append((at, accumulator / samples))
    elif kind == "recursive":
        # After each conversion the difference to the register, divided by the number of averages, is added to the register.
        samples, length, cycle = family["samples"], us("conversion_us"), us("cycle_us")
        register = chip.settled
        for k in range(int((end - first) / cycle) + 1):
            at = first + k * cycle
            register += (chip.conversion(at, length) - register) / samples
            out.append((at, register))
    elif kind == "counter":
        refresh = us("refresh_us")
        for k in range(int((end - first) / refresh) + 1):
            at = first + k * refresh
            out.append((at, chip.joules(at) * 1e-3))
    elif kind == "filtered":
        refresh = us("refresh_us")
        behind = first_order(
            (chip.values[:-1] + chip.values[1:]) / 2, chip.settled, family["lag_us"] * 1e3, chip.step
        )
        for k in range(int((end - first) / refresh) + 1):
            at = first + k * refresh
            place = at / chip.step
            index = min(int(place), len(behind) - 2)
            out.append((at, behind[index] + (behind[index + 1] - behind[index]) * (place - index)))
    else:
        raise ValueError(f"`{kind}` is not a family")
    return out


def seen_at(times, renewed, delay):
    """For each time the index of the newest renewal that a reader sees then; −1 before the first."""
    visible = [at + delay for at, _ in renewed]
    return [bisect.bisect_right(visible, time) - 1 for time in times]
