"""What crews write: titles and notes, by the phase that a house is in."""

from random import Random

# Phase -> the process it belongs to, its share of the logs, and what is worked on in it.
_PHASES: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "Site Preparation": ("Land", 7, ("Lot clearing", "Silt fence", "Fill dirt", "Building pad", "Survey stakes")),
    "Foundation": ("Structure", 11, ("Footer dig", "Slab pour", "Rebar placement", "Form boards", "Termite treatment")),
    "Underground Plumbing": ("Rough", 5, ("Underground plumbing", "Sewer lateral", "Water service", "Sleeves")),
    "Block": ("Structure", 8, ("Block walls", "Lintels", "Tie beam pour", "Fill cells", "Window openings")),
    "Framing": ("Structure", 13, ("Interior framing", "Truss set", "Roof sheathing", "Hurricane straps", "Fire stop")),
    "Roofing": ("Envelope", 8, ("Dry-in", "Shingle install", "Flashing", "Ridge vent", "Roof tile delivery")),
    "Mechanical Rough": ("Rough", 8, ("HVAC ductwork", "Air handler", "Condenser pad", "Line set", "Bath fans")),
    "Electrical Rough": ("Rough", 8, ("Electrical rough", "Panel set", "Low voltage", "Temporary power", "Can lights")),
    "Insulation": ("Envelope", 5, ("Wall insulation", "Attic insulation", "Spray foam", "Draft stop")),
    "Drywall": ("Interior", 8, ("Drywall hang", "Mud and tape", "Knockdown texture", "Drywall repair")),
    "Interior Trim": (
        "Interior",
        7,
        ("Cabinets", "Interior doors", "Baseboard", "Countertops", "Closet shelving"),
    ),
    "Paint": ("Interior", 5, ("Interior paint", "Exterior paint", "Touch-up", "Caulking")),
    "Final": ("Close", 5, ("Final grade", "Sod install", "Final clean", "Appliance install", "Blower door test")),
    "Warranty": ("Close", 2, ("Warranty walk", "Door adjustment", "Leak at window", "A/C service call")),
}
_NAMES, _WEIGHTS = tuple(_PHASES), tuple(share for _, share, _ in _PHASES.values())
_ENDINGS = {
    "Completed": ("completed", "done", "passed inspection", "finished and swept", "complete - photos uploaded"),
    "In Progress": ("in progress", "started", "about half done", "continuing tomorrow", "day 2"),
    "Scheduled": ("scheduled", "confirmed for Monday", "ordered", "crew booked"),
    "On Hold": ("on hold", "waiting on material", "delayed by rain", "waiting on engineer"),
    "Failed Inspection": ("failed inspection", "red tag", "needs re-inspection"),
    "Cancelled": ("cancelled", "not needed", "entered twice"),
}
_TRADES = (
    "Ramírez Concrete", "Suncoast Framing", "Gulf Plumbing & Gas", "Bright Electric", "O'Neil Roofing",
    "Bayside HVAC", "Precision Drywall", "All-Pro Painting", "Núñez Masonry", "TruTrim Carpentry",
)  # fmt: skip
_PEOPLE = ("Mike", "Carlos", "Dana", "José", "Terri", "Luis", "Hannah", "Andre", "Zoë", "Pat")
_WEATHER = (
    "Clear and dry.", "Heavy rain after 2 pm, lost half a day.", "Hot, heat index over 100.", "Windy, no crane.",
    "Overcast, light showers in the morning.", "Cold start, fog until nine.",
)  # fmt: skip
_REMARKS = (
    "{trade} on site with {crew} men.", "{person} walked the house, no issues.",
    "Delivery short {count} pieces, {trade} notified.",
    "Dumpster full, swap requested.", "Photos are in the folder.", "Homeowner visited, asked about the upgrade.",
    "Measured twice: {count}' {inches}\" at the garage.", "Inspector wants {count} more straps at the gable end.",
    "Neighbor complained about noise before 7 am.", "Backcharge {trade} ${count}0 for clean-up.",
    "Safety talk held, all signed.", "Punch list has {count} items left.",
    "Concrete truck {count} minutes late, 3000 PSI mix.",
    "Materials stored in the garage, door locked.", "Left message with {person} about the change order.",
    "Wrong color delivered, return set for Thursday.", "Water was left running, shut off at meter.",
    "Moisture reading {count}%, OK to proceed.", "Port-o-let serviced.", "Gate code changed, see {person}.",
)  # fmt: skip
_OUTCOMES = {
    "Completed": "Ready for the next trade.",
    "In Progress": "Crew returns tomorrow at 7.",
    "Scheduled": "Superintendent to confirm the day before.",
    "On Hold": "Nothing to do until it arrives.",
    "Failed Inspection": "Corrections listed on the red tag, re-inspection fee applies.",
    "Cancelled": "Closed without work.",
}


def phase(chance: Random) -> str:
    """Return a phase, in its share."""
    return chance.choices(_NAMES, _WEIGHTS)[0]


def process(of: str) -> str:
    """Return the process that a phase belongs to."""
    return _PHASES[of][0]


def title(of: str, status: str, chance: Random) -> str:
    """Return a log's title: what was worked on, and how it went."""
    return f"{chance.choice(_PHASES[of][2])} {chance.choice(_ENDINGS[status])}"


def notes(of: str, status: str, chance: Random) -> str:
    """Return a log's notes: two to six sentences, some on two lines."""
    said = [f"{chance.choice(_PHASES[of][2])}: {_OUTCOMES[status]}"]
    said += [_remark(chance) for _ in range(chance.randrange(1, 5))]
    if chance.random() < 0.5:
        said.insert(0, chance.choice(_WEATHER))
    return ("\n" if chance.random() < 0.2 else " ").join(said)


def remark(status: str, chance: Random) -> str:
    """Return what somebody adds to a log later."""
    return f"{_remark(chance)} {_OUTCOMES[status]}"


def _remark(chance: Random) -> str:
    return chance.choice(_REMARKS).format(
        trade=chance.choice(_TRADES),
        person=chance.choice(_PEOPLE),
        crew=chance.randrange(2, 9),
        count=chance.randrange(3, 48),
        inches=chance.randrange(12),
    )
