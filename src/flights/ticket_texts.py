"""What the simulated users write to support: patterns by topic, the mix of topics by what happened, and personal data.

All names, addresses (example.com and example.org), telephone numbers (555-01xx) and booking codes are invented.
"""

from __future__ import annotations

import numpy as np

PATTERNS: dict[str, tuple[str, ...]] = {
    "complaint": (
        "Your app was wrong about {flight} again. I planned my whole day around it.",
        "I trusted the prediction for {origin} to {dest} and it was useless.",
        "What is the point of this app? {flight} was the opposite of what you told me.",
        "Wrong forecast for {flight}. I paid {amount} dollars for a taxi that I did not need.",
        "Third time this month that the prediction from {origin} was wrong. Very disappointed.",
        "My name is {name} and I want to complain about what your app said for {flight}.",
        "We missed our connection in {dest} because I relied on your app. Please call me at {phone}.",
        "I rebooked because of your app and lost my seat. Booking {booking}. Who pays for that?",
        "Please delete my account {email}. The predictions are no better than a coin toss.",
        "I sat at {origin} for hours for nothing. Do better.",
    ),
    "praise": (
        "Spot on for {flight}, thank you!",
        "The app told me what would happen to my flight to {dest} before the airline did. Great work.",
        "Love this app. It was right about {origin} three times in a row now.",
        "Just wanted to say thanks, I could plan my evening because of you.",
        "Best travel app I have. {flight} went exactly as you said.",
        "Thanks to you I made other plans in time. Five stars.",
        "I am {name} and I tell everyone at {origin} about you. Keep it up.",
        "My whole family uses it now. My name is {name}, write to {email} if you want a quote.",
    ),
    "feature_request": (
        "Could you add a widget for the home screen?",
        "Please let me follow a flight that I am not on. My mother flies {flight} next week.",
        "It would be great to see why you think a flight will be late: weather, the plane, the airport?",
        "Can you show the inbound plane of {flight}? That is what I really want to know.",
        "Please add the gate and the terminal at {origin}.",
        "A dark mode would be nice.",
        "Is there a way to get the alert as a text message? My number is {phone}.",
        "Please sync with my calendar so that I do not have to type in {flight} by hand.",
        "I would like a weekly summary by e-mail. Mine is {email}.",
        "Could you tell me the chance of making a connection in {dest}, not only the delay?",
    ),
    "wrong_data": (
        "The app shows the wrong departure time for {flight}.",
        "{flight} is listed with the wrong destination, it says {dest} twice.",
        "The weather you show for {origin} is hours old.",
        "Your app says that my plane has {amount} seats. It was a small jet.",
        "You list {flight} as on time, the board at {origin} says something else.",
        "My trip is shown under the wrong name. PNR {booking}, the name is {name}.",
        "Reservation {booking} shows a flight to {dest} that I never booked.",
        "The scheduled arrival in {dest} is off by one hour. Time zone?",
    ),
    "late_alert": (
        "The alert for {flight} came when I was already at the gate. Too late.",
        "Got your warning {minutes} minutes after the airline told us. What good is that?",
        "Please send alerts earlier. Two hours is not enough to get to {origin} and change plans.",
        "No notification at all for {flight}, I only saw it when I opened the app.",
        "Your message arrived after boarding. I am {name}, and this is the second time.",
        "I was already on the train to {origin} when the alert came. An hour earlier would have helped.",
        "Alert came too late to rebook. My booking code is {booking}, maybe you can check.",
        "Push message {minutes} minutes late. My phone was on and online the whole time.",
    ),
}
# How often each topic comes, by (the app was right, the flight was disrupted), in the order of PATTERNS.
TOPIC_CHANCES: dict[tuple[bool, bool], tuple[float, ...]] = {
    (True, False): (0.05, 0.35, 0.45, 0.15, 0.00),
    (True, True): (0.05, 0.45, 0.20, 0.05, 0.25),
    (False, False): (0.55, 0.05, 0.15, 0.25, 0.00),
    (False, True): (0.50, 0.00, 0.05, 0.10, 0.35),
}
# Some people add how to reach them, whatever they write about.
SIGNATURE_CHANCE = 0.3
SIGNATURES = (
    "Regards, {name}",
    "Best regards,\n{name}",
    "Thanks, {name}",
    "- {name}",
    "My name is {name}, you can reach me at {email}.",
    "Call me: {phone}.",
    "You can write to {email}.",
    "My booking is {booking}.",
    "PNR {booking}",
    "This is {name}, {phone}.",
)
FIRST_NAMES = ("Aisha", "Ben", "Carla", "Daniel", "Elena", "Felix", "Hiro", "Ines", "Jamal", "Mei", "Omar", "Tara")
LAST_NAMES = (
    "Adams",
    "Brown",
    "Chen",
    "Diaz",
    "Evans",
    "Garcia",
    "Hughes",
    "Kim",
    "Nguyen",
    "Okafor",
    "Rossi",
    "Smith",
)
PHONES = ("555-01{n:02}", "(212) 555-01{n:02}", "+1 212 555 01{n:02}", "212-555-01{n:02}")
LETTERS = tuple("ABCDEFGHJKLMNPQRSTUVWXYZ")
DIGITS = tuple("23456789")


def write_ticket(
    flight: str, origin: str, dest: str, is_right: bool, is_disrupted: bool, rng: np.random.Generator
) -> str:
    """The text of one ticket. Its topic depends on whether the app was right and whether the flight was disrupted."""
    topic = rng.choice(list(PATTERNS), p=TOPIC_CHANCES[is_right, is_disrupted])
    text = _pick(PATTERNS[topic], rng)
    if rng.random() < SIGNATURE_CHANCE:
        text = f"{text} {_pick(SIGNATURES, rng)}"
    facts = {
        "flight": flight,
        "origin": origin,
        "dest": dest,
        "amount": rng.integers(20, 90),
        "minutes": rng.integers(5, 50),
    }
    return text.format(**facts, **_person(rng))


def _person(rng: np.random.Generator) -> dict[str, str]:
    """An invented name with an e-mail address, a telephone number and a booking code."""
    first, last = _pick(FIRST_NAMES, rng), _pick(LAST_NAMES, rng)
    domain = _pick(("example.com", "example.org"), rng)
    code = [*rng.choice(LETTERS, 3), *rng.choice(DIGITS, 2), rng.choice(LETTERS)]
    return {
        "name": f"{first} {last}",
        "email": f"{first}.{last}@{domain}".lower(),
        "phone": _pick(PHONES, rng).format(n=rng.integers(0, 100)),
        "booking": "".join(code),
    }


def _pick(items: tuple[str, ...], rng: np.random.Generator) -> str:
    return items[rng.integers(len(items))]
