"""Addresses: of mail, of machines, and of pages that let in whoever has the address."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from flywheel.data.personal.document import Document, Spans

_LOCAL = frozenset(".!#$%&'*+/=?^_`{|}~-")  # besides letters and digits; RFC 5322
_LABEL = r"[^\W_](?:[\w-]{0,62})"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.){{1,127}}[^\W\d_][\w-]{{1,62}}|\[[0-9A-Fa-f:.]{{3,45}}\]")
# Providers that people leave the ending off of.
_PROVIDERS = re.compile(
    r"(?:gmail|googlemail|hotmail|outlook|yahoo|icloud|gmx|web|aol|proton|protonmail|live|msn|me|mac|orange|free|t-online|"
    r"wanadoo|uol|bol|terra|sapo|yandex|mail|fastmail)\b(?:[ ,]{0,2}(?:com|de|fr|es|pt|net|org|co|ch|at|uk|br)\b)?",
    re.IGNORECASE,
)
_SPELLED_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{0,6}}")
_LONGEST_LOCAL = 64

_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{1,20}://|(?<![\w.@-])www\.|(?<![\w.@/-])(?:[\w-]{1,63}\.){1,5}[A-Za-z]{2,24}(?::\d{1,5})?[/?]"
)
_URL_END = re.compile(r"[\s<>\"\ufffc]")
_TRAILING = ".,;:!?)'\"]}*"
# A key of a query that names a secret or a person whatever its value is.
_SECRET_KEY = re.compile(
    r"token(?!i[sz])|^auth(?!or)|_auth(?!or)|sess|passw|pwd|secret|api_?key|jwt|signature|^sig$|^sid$|^otp$|^pin$|^e?mail$|phone|^mobile|"
    r"^user(?:_?(?:id|name))?$|^uid$|^pnr$|locator|surname|last_?name|first_?name|credential|magic|^pass$|nonce|passport|^dob$|iban",
    re.IGNORECASE,
)
# And one that does where the value has letters and digits, or is long.
_PERHAPS_KEY = re.compile(
    r"^(?:code|key|hash|ticket|booking|reservation|invite|verify|verification|confirm|confirmation|reset|unsubscribe|account|"
    r"access|card|login|link|activate|share|id|[ukhc])$",
    re.IGNORECASE,
)
_NOTHING = frozenset(
    ("true", "false", "yes", "null", "none", "guest", "undefined", "anonymous", "all", "any", "new", "self", "default",
     "public", "everyone", "admin", "test", "demo", "user", "required", "optional", "enabled", "disabled", "reset", "forgot")
)  # fmt: skip
# Keys that name other things, too, and whose secrets machines draw: no short word in small letters, `session=summer`.
_DRAWN_KEY = re.compile(r"auth|sess", re.IGNORECASE)
# A file of a page, with a digest of what is in it; and what follows an @ in the name of a picture.
_ASSET = re.compile(r"\.(?:js|mjs|css|map|woff2?|svg|ico|png|jpe?g|gif|webp)$", re.IGNORECASE)
_REVISIONS = frozenset(("commit", "commits", "blob", "tree", "raw", "compare"))  # a digest of code lets nobody in
_CALLING = frozenset(("wa.me", "api.whatsapp.com", "signal.me", "t.me"))  # addresses that call somebody
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_RUN = re.compile(r"[A-Za-z0-9_~.-]{12,4096}")

_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{2,39}(?:\.\d{1,3}){0,3}(?:%\w{1,16})?(?![\w:])")
_VERSION = re.compile(
    r"(?:\bv|\b(?:version|ver|release|build|firmware|driver|section|chapter|abschnitt|kapitel|versión|versão|sección|"
    r"ios|android|chrome|windows|safari|firefox|app|update|api|sdk)\.?:? ?(?:no\.? ?)?)$",
    re.IGNORECASE,
)


def emails(doc: Document) -> Spans:
    """Addresses as they are written, with a space around the @, or spelled (`jane at example dot com`)."""
    text, done = doc.text, 0
    at = text.find("@")
    while at >= 0:
        found = _email(text, at, done)
        if found:
            yield found
            done = found[1]
        at = text.find("@", max(at + 1, done))
    yield from _spelled(doc)


def _email(text: str, at: int, done: int) -> tuple[int, int] | None:
    end = at - 1 if text[at - 1 : at] == " " else at
    start = end
    while start > max(done, end - _LONGEST_LOCAL) and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
        start -= 1
    if text[start - 1 : start] == '"' == text[end - 1 : end] and start == end:
        return None
    if start == end:
        quoted = text.rfind('"', max(done, end - _LONGEST_LOCAL), end - 1) if text[end - 1 : end] == '"' else -1
        if quoted < 0:
            return None
        start = quoted
    if not any(sign.isalnum() for sign in text[start:end]) and end != at:
        return None
    after = at + 2 if text[at + 1 : at + 2] == " " else at + 1
    domain = _DOMAIN.match(text, after)
    if domain is None:
        domain = _PROVIDERS.match(text, after)
        if domain is None or not any(sign.isalnum() for sign in text[start:end]):
            return None
    stop = domain.end()
    if _ASSET.search(domain[0]) and not domain[0].lower().endswith(".map"):  # which is a domain, too
        return None  # logo@2x.png
    while text[stop - 1] in "-_":
        stop -= 1
    mark = text[start]
    if mark in "'*_~" and text[stop : stop + 1] == mark:
        start += 1
    return start, stop


def _spelled(doc: Document) -> Spans:
    words, text, vocabulary = doc.words, doc.text, doc.vocabulary
    for i, (start, end, word) in enumerate(words):
        if word not in vocabulary.at or not 0 < i < len(words) - 1:
            continue
        before, after = text[words[i - 1][1] : start], text[end : words[i + 1][0]]
        if not (0 < len(before) <= 4 and 0 < len(after) <= 4 and "\n" not in before + after):
            continue
        is_marked = before.strip()[-1:] in ("[", "(", "{", "<", "*", "_", "-") and after.strip()[:1] in tuple("])}>*_-")
        if not is_marked and before.strip() + after.strip():
            continue
        stop, is_dotted, by_word = _spelled_domain(doc, i + 1)
        is_known = _PROVIDERS.match(text, words[i + 1][0]) is not None
        if not (is_dotted and (is_marked or by_word or is_known) and not text[stop : stop + 1].isalnum()):
            continue
        yield _local_start(doc, i - 1), stop


def _spelled_domain(doc: Document, j: int) -> tuple[int, bool, bool]:
    """Where a domain from word `j` on ends, whether it has a dot, and whether that is a word."""
    words, text = doc.words, doc.text
    stop, is_dotted, by_word = words[j][1], False, False
    for _ in range(8):
        follows = j + 1 < len(words)
        gap = text[stop : words[j + 1][0]] if follows else ""
        if follows and gap in (".", "-"):
            j, is_dotted = j + 1, is_dotted or gap == "."
        elif (
            j + 2 < len(words)
            and words[j + 1][2] in doc.vocabulary.dot
            and len(gap) <= 3
            and 0 < len(text[words[j + 1][1] : words[j + 2][0]]) <= 3
        ):
            j, is_dotted, by_word = j + 2, True, True
        else:
            break
        stop = words[j][1]
    return stop, is_dotted, by_word


def _local_start(doc: Document, j: int) -> int:
    words, text = doc.words, doc.text
    for _ in range(6):
        gap = text[words[j - 1][1] : words[j][0]] if j else " "
        if gap in (".", "_", "-", "+"):
            j -= 1
        elif j > 1 and words[j - 1][2] in doc.vocabulary.dot and len(gap) <= 3:
            j -= 2
        else:
            break
    return words[j][0]


def urls(doc: Document) -> Iterator[tuple[int, int, bool]]:
    """Addresses of pages, each with whether it holds a secret, or names somebody."""
    text, at = doc.text, 0
    while found := _URL.search(text, at):
        stop = _URL_END.search(text, found.end())
        end = stop.start() if stop else len(text)
        while end > found.end() and text[end - 1] in _TRAILING:
            end -= 1
        yield found.start(), end, has_secret(text[found.start() : end])
        at = max(end, found.end())


def has_secret(url: str) -> bool:
    """Whether an address has a password, a query or a path that names a secret or a person, or a part that nobody chose."""
    rest = url.partition("://")[2] or url
    place = rest.partition("/")[0]
    host = place.partition("?")[0].partition("#")[0]
    if ("@" in host and ":" in host.partition("@")[0]) or host.lower() in _CALLING:
        return True
    path, _, query = rest[len(host) :].partition("?")
    path, _, fragment = path.partition("#")
    query, _, more = query.partition("#")
    matrix = "&".join(path.split(";")[1:])
    pairs = [
        pair for part in (query, fragment, more, matrix) for pair in parse_qsl(part[:4096], keep_blank_values=True)
    ]
    if any((_SECRET_KEY.search(key[:64]) and _says(value, key)) or is_random(value) for key, value in pairs):
        return True
    if any(_PERHAPS_KEY.search(key[:64]) and _is_mixed(value, 6) for key, value in pairs):
        return True
    segments = ["", *(one for part in (path, fragment, more) for one in part.split("/") if "=" not in one)]
    return any(
        is_random(one) and before not in _REVISIONS and not ("." in one[:-5] and _ASSET.search(one))
        for before, one in itertools.pairwise(segments)
    ) or any(
        (_SECRET_KEY.search(one[:64]) or _PERHAPS_KEY.search(one[:64])) and _is_mixed(after, 6)
        for one, after in itertools.pairwise(segments)
    )


def _says(value: str, key: str) -> bool:
    """Whether the value under a key that names a secret can be one."""
    if "phone" in key.lower() or "mobile" in key.lower():
        return sum(map(str.isdigit, value)) >= 6
    if _DRAWN_KEY.search(key) and len(value) < 10 and value.isalpha() and value.islower():
        return False
    return len(value) >= 3 and value.lower() not in _NOTHING


def is_random(part: str) -> bool:
    """Whether a part of an address was drawn, not written: a UUID, or a long run of letters and digits in turn."""
    if _UUID.search(part):
        return True
    if part.startswith("eyJ") and len(part) > 20:
        return True
    for run in _RUN.findall(part):
        longest = max(re.split(r"[._~-]", run), key=len)
        if len(longest) >= 16 and (_turns(longest) >= 3 or re.fullmatch(r"[0-9a-f]{24,4096}", longest)):
            return True
        if len(longest) >= 12 and _turns(longest) >= 4:
            return True
    return False


def _is_mixed(value: str, least: int) -> bool:
    return len(value) >= least and value.isascii() and _turns(value) >= 2 and any(one.isalpha() for one in value)


def _turns(run: str) -> int:
    """How often letters and digits take turns."""
    return sum(a.isdigit() != b.isdigit() for a, b in itertools.pairwise(run))


def machines(doc: Document) -> Spans:
    """IP addresses, of both versions; not one that means the machine itself, and no number of a version."""
    text = doc.text
    if "." in text:
        for found in _IPV4.finditer(text):
            if _is_address(found[0]) and not _VERSION.search(text, max(0, found.start() - 14), found.start()):
                yield found.span()
    if ":" in text:
        for found in _IPV6.finditer(text):
            raw = found[0] if found[0].endswith("::") else found[0].rstrip(":")
            if raw.count(":") >= 2 and any(one.isdigit() for one in raw) and _is_address(raw):
                yield found.start(), found.start() + len(raw)


def _is_address(raw: str) -> bool:
    try:
        address = ipaddress.ip_address(raw)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)
