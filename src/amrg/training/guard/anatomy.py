"""Drawn radiographs and sections of other parts of the body: hands, limbs, chests, abdomens, heads, CT, ultrasound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from amrg.training.guard.shapes import Canvas, Pixels, Rng, cloud, exposed, placed

ROWS = 320


def hand(rng: Rng) -> Pixels:
    """A hand or two from the wrist on, with bones."""
    canvas = Canvas(ROWS, rng.uniform(0.6, 1.3))
    count = 2 if canvas.width > 1.0 and rng.random() < 0.4 else 1
    for i in range(count):
        _one_hand(canvas, rng, (i + 0.5) * canvas.width / count, rng.uniform(0.6, 1.0) / count**0.5)
    return placed(exposed(canvas.pixels, rng), rng)


def _one_hand(canvas: Canvas, rng: Rng, x: float, size: float) -> None:
    wrist, palm = (x, rng.uniform(0.85, 1.0)), (x + rng.uniform(-0.03, 0.03), rng.uniform(0.6, 0.72))
    bone = rng.uniform(0.6, 1.6)
    width = 0.13 * size
    soft = [canvas.limb((wrist[0], 1.2), wrist, (width, 0.8 * width)), canvas.limb(wrist, palm, (0.8 * width, width))]
    soft.append(canvas.ellipse(palm, (1.2 * width, 1.3 * width)) * width)
    hard = [canvas.limb((x + s * 0.3 * width, 1.2), (x + s * 0.3 * width, wrist[1]), (0.02, 0.025)) for s in (-1, 1)]
    spread, bend = rng.uniform(0.12, 0.32), rng.uniform(-0.3, 0.3)
    side = rng.choice([-1, 1])
    for finger in range(5):
        thumb = finger == 0
        angle = bend + side * (spread * (finger - 2.6) - (0.55 if thumb else 0))
        length = size * (0.22 if thumb else (0.30, 0.34, 0.31, 0.24)[finger - 1])
        start = (palm[0] + width * (finger - 2.2) * 0.45 * side, palm[1] - (0.0 if thumb else 0.6 * width))
        at = start
        for part in (0.4, 0.33, 0.27):
            end = (at[0] + part * length * np.sin(angle), at[1] - part * length * np.cos(angle))
            soft.append(canvas.limb(at, end, (0.032 * size, 0.028 * size)))
            gap = 0.006
            near = (at[0] + gap * np.sin(angle), at[1] - gap * np.cos(angle))
            hard.append(canvas.limb(near, end, (0.016 * size, 0.012 * size), rng.uniform(0, 0.6)))
            at = end
        hard.append(canvas.limb((x + (finger - 2) * 0.02, wrist[1] - 0.06), start, (0.014 * size, 0.016 * size), 0.4))
    canvas.pixels += np.maximum.reduce(soft) + bone * np.maximum.reduce(hard)


def limb(rng: Rng) -> Pixels:
    """An arm, a leg or a joint: soft tissue from edge to edge with one or two bones."""
    canvas = Canvas(ROWS, rng.uniform(0.35, 1.0))
    middle, radius = canvas.width * rng.uniform(0.4, 0.6), canvas.width * rng.uniform(0.18, 0.42)
    tilt, taper = rng.uniform(-0.15, 0.15), rng.uniform(0.6, 1.2)
    canvas.pixels += canvas.limb((middle - tilt, -0.3), (middle + tilt, 1.3), (radius, radius * taper))
    joint = rng.uniform(0.35, 0.65) if rng.random() < 0.6 else 2.0
    for side in (-1, 1) if rng.random() < 0.6 else (0,):
        x, thick = middle + side * 0.4 * radius, radius * rng.uniform(0.18, 0.4)
        for top, bottom in ((-0.3, joint - 0.01), (joint + 0.01, 1.3)):
            ends = (thick * rng.uniform(0.8, 1.3), thick * rng.uniform(0.8, 1.3))
            rod = canvas.limb((x - tilt * 0.6, top), (x + tilt * 0.6, bottom), ends, rng.uniform(0.3, 0.8))
            canvas.pixels += rng.uniform(0.8, 2.0) * rod
    return placed(exposed(canvas.pixels, rng), rng)


def chest(rng: Rng) -> Pixels:
    """A film of a chest: two dark lungs with ribs, the spine, the heart, the diaphragm."""
    canvas = Canvas(ROWS, rng.uniform(0.8, 1.25))
    middle, half = canvas.width / 2 + rng.uniform(-0.03, 0.03), canvas.width / 2
    body = canvas.ellipse((middle, 0.6), (half * rng.uniform(0.85, 1.3), rng.uniform(0.65, 0.9)), 0, 0.1)
    canvas.pixels += body * rng.uniform(0.5, 0.8)
    lungs = np.zeros_like(canvas.pixels)
    for side in (-1, 1):
        centre = (middle + side * half * rng.uniform(0.42, 0.5), rng.uniform(0.42, 0.52))
        lungs = np.maximum(lungs, canvas.ellipse(centre, (half * 0.36, rng.uniform(0.3, 0.4)), side * -0.12, 0.04))
    canvas.pixels -= lungs * rng.uniform(0.25, 0.5)
    for side in (-1, 1):
        for i in range(int(rng.integers(7, 11))):
            top = 0.12 + 0.075 * i
            arch = canvas.ellipse((middle + side * half * 0.45, top + 0.15), (half * 0.45, 0.16), side * 0.3, 0.01)
            inner = canvas.ellipse((middle + side * half * 0.45, top + 0.175), (half * 0.43, 0.16), side * 0.3, 0.01)
            canvas.pixels += rng.uniform(0.03, 0.12) * np.maximum(arch - inner, 0) * body
        shoulder = (middle + side * half * 0.85, rng.uniform(0.08, 0.14))
        canvas.pixels += 1.5 * canvas.limb((middle + side * 0.05, 0.16), shoulder, (0.02, 0.025))
    canvas.pixels += 1.2 * canvas.limb((middle, -0.2), (middle, 1.2), (0.05, 0.07))
    heart = canvas.ellipse((middle + 0.1 * half, 0.62), (0.2, 0.17), 0.5, 0.04)
    canvas.pixels += rng.uniform(0.15, 0.35) * heart
    floor = rng.uniform(0.74, 0.86)
    canvas.pixels += rng.uniform(0.15, 0.35) * np.clip((canvas.y - floor) / 0.05, 0, 1) * body
    canvas.pixels += 0.03 * cloud(canvas.pixels.shape, rng, 1.2) * body
    if rng.random() < 0.3:  # the arms and the air beside them are outside the film
        canvas.pixels = canvas.pixels[:, round(0.1 * ROWS * canvas.width) :]
    made = exposed(canvas.pixels, rng)
    return placed(made, rng) if rng.random() < 0.2 else made


def abdomen(rng: Rng) -> Pixels:
    """A film of an abdomen or a pelvis: grey all over, gas, spine, hip bones."""
    canvas = Canvas(ROWS, rng.uniform(0.7, 1.1))
    middle = canvas.width / 2
    canvas.pixels += 0.5 + 0.12 * cloud(canvas.pixels.shape, rng, 1.6)
    canvas.pixels *= canvas.ellipse((middle, 0.5), (middle * rng.uniform(0.9, 1.5), rng.uniform(0.7, 1.2)), 0, 0.1)
    canvas.pixels += 1.5 * canvas.limb((middle, -0.2), (middle, 0.75), (0.06, 0.08))
    for side in (-1, 1):
        hip = canvas.ellipse((middle + side * 0.28, 0.72), (0.2, 0.13), side * 0.7, 0.02)
        canvas.pixels += rng.uniform(0.1, 0.3) * hip
        canvas.pixels += 2 * canvas.limb((middle + side * 0.33, 0.88), (middle + side * 0.36, 1.3), (0.06, 0.05), 0.5)
    for _ in range(int(rng.integers(3, 12))):
        at = (rng.uniform(0.1, 0.9) * canvas.width, rng.uniform(0.1, 0.7))
        gas = canvas.ellipse(at, (rng.uniform(0.02, 0.1), rng.uniform(0.02, 0.07)), rng.uniform(0, 3), 0.02)
        canvas.pixels -= rng.uniform(0.05, 0.25) * gas
    return placed(exposed(canvas.pixels, rng), rng)


def head(rng: Rng) -> Pixels:
    """A skull from the side or a section of a head by CT or MR."""
    canvas = Canvas(ROWS, rng.uniform(0.75, 1.2))
    centre = (canvas.width / 2 + rng.uniform(-0.08, 0.08), rng.uniform(0.42, 0.58))
    axes = (rng.uniform(0.25, min(0.45, canvas.width * 0.45)), rng.uniform(0.32, 0.46))
    thick = rng.uniform(0.015, 0.05)
    outer, skull, inner = (
        canvas.ellipse(centre, (axes[0] - d, axes[1] - d), 0, 0.008) for d in (0, 0.02, 0.02 + thick)
    )
    canvas.pixels += 0.3 * outer + rng.uniform(-0.2, 0.9) * (skull - inner) + rng.uniform(0.0, 0.3) * inner
    canvas.pixels += rng.uniform(0.02, 0.1) * cloud(canvas.pixels.shape, rng, rng.uniform(0.8, 1.8)) * inner
    for side in (-1, 1):
        at = (centre[0] + side * rng.uniform(0.03, 0.07), centre[1] + rng.uniform(-0.06, 0.06))
        hole = canvas.ellipse(at, (rng.uniform(0.01, 0.05), rng.uniform(0.04, 0.12)), side * 0.3, 0.01)
        canvas.pixels += rng.uniform(-0.3, 0.3) * hole
    if rng.random() < 0.4:  # jaw and neck
        canvas.pixels += canvas.limb((centre[0], 0.7), (centre[0] + 0.1, 1.3), (0.16, 0.18))
    return placed(exposed(np.maximum(canvas.pixels, 0), rng), rng)


def section(rng: Rng) -> Pixels:
    """A section of a trunk by CT: skin, fat, organs, ribs around, the spine; lungs in some; a table below."""
    canvas = Canvas(ROWS, rng.uniform(0.9, 1.35))
    centre = (canvas.width / 2 + rng.uniform(-0.04, 0.04), 0.5 + rng.uniform(-0.05, 0.05))
    axes = (rng.uniform(0.36, 0.49) * min(1.3, canvas.width), rng.uniform(0.26, 0.4))
    fat, muscle = rng.uniform(0.05, 0.3), rng.uniform(0.35, 0.6)
    inset = rng.uniform(0.02, 0.08)
    skin = canvas.ellipse(centre, axes, 0, 0.006)
    wall = canvas.ellipse(centre, (axes[0] - inset, axes[1] - inset), 0, 0.01)
    inner = canvas.ellipse(centre, (axes[0] - inset - 0.04, axes[1] - inset - 0.04), 0, 0.01)
    canvas.pixels += fat * skin + (muscle - fat) * wall
    lungs = rng.random() < 0.5
    for side in (-1, 1) if lungs else ():
        at = (centre[0] + side * axes[0] * 0.45, centre[1] - 0.02)
        canvas.pixels -= muscle * canvas.ellipse(at, (axes[0] * 0.32, axes[1] * 0.62), side * 0.2, 0.01)
    for _ in range(int(rng.integers(4, 14))):
        at = (centre[0] + axes[0] * rng.uniform(-0.6, 0.6), centre[1] + axes[1] * rng.uniform(-0.6, 0.6))
        organ = canvas.ellipse(at, (rng.uniform(0.02, 0.16), rng.uniform(0.02, 0.12)), rng.uniform(0, 3), 0.01)
        canvas.pixels += rng.uniform(-0.25, 0.25) * organ * inner
    for turn in np.linspace(0, 2 * np.pi, int(rng.integers(8, 16))):
        rib = (centre[0] + (axes[0] - inset - 0.02) * np.cos(turn), centre[1] + (axes[1] - inset - 0.02) * np.sin(turn))
        canvas.pixels += 0.5 * canvas.ellipse(rib, (0.025, 0.012), turn + 1.57, 0.006)
    spine = (centre[0], centre[1] + 0.55 * axes[1])
    canvas.pixels += 0.5 * canvas.ellipse(spine, (0.06, 0.05)) + 0.4 * canvas.limb(
        spine, (spine[0], spine[1] + 0.12), (0.02, 0.01)
    )
    if rng.random() < 0.5:
        bed = np.abs(canvas.y - centre[1] - axes[1] - 0.03 + 0.2 * (canvas.x - centre[0]) ** 2)
        canvas.pixels += 0.3 * (bed < 0.006)
    canvas.pixels += 0.02 * cloud(canvas.pixels.shape, rng, 0.3) * skin
    return placed(exposed(np.maximum(canvas.pixels, 0), rng), rng)


def ultrasound(rng: Rng) -> Pixels:
    """Speckle in a sector or a rectangle, dark around."""
    canvas = Canvas(ROWS, rng.uniform(0.9, 1.4))
    apex = (canvas.width / 2, rng.uniform(-0.4, 0.05))
    radius = np.hypot(canvas.x - apex[0], canvas.y - apex[1])
    angle = np.arctan2(canvas.x - apex[0], canvas.y - apex[1])
    beam = (
        (np.abs(angle) < rng.uniform(0.4, 0.8)) & (radius > 0.1 - apex[1]) & (radius < rng.uniform(0.8, 0.95) - apex[1])
    )
    if rng.random() < 0.4:
        beam = (np.abs(canvas.x - apex[0]) < 0.35) & (canvas.y > 0.08) & (canvas.y < 0.9)
    speckle = np.hypot(*(ndimage.gaussian_filter(rng.standard_normal(beam.shape), (0.8, 1.6)) for _ in range(2)))
    layers = np.exp(0.8 * cloud(beam.shape, rng, 1.5) + 0.5 * np.sin(canvas.y * rng.uniform(8, 30)))
    canvas.pixels += (speckle * layers * beam).astype(np.float32)
    return exposed(np.minimum(canvas.pixels, np.percentile(canvas.pixels, 99)), rng)


ANATOMY: dict[str, Callable[[Rng], Pixels]] = {
    "hand": hand,
    "limb": limb,
    "chest": chest,
    "abdomen": abdomen,
    "head": head,
    "CT": section,
    "ultrasound": ultrasound,
}
"""What is drawn, by its name."""
