"""What a mail about an event says: what happened, what is not wrong, and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from connectors.states import Attention, CredentialKind, HoldCause, LetterKind
from tenants.states import EventKind


@dataclass(frozen=True, slots=True)
class Topic:
    """Hold one event as a mail tells it; `small` is for Microsoft's code, '' where there is none."""

    company: str
    title: str
    happened: str
    fine: str
    next_step: str
    button: str
    small: str = ""


def topic_of(
    event: EventKind, letter: LetterKind, *, company: str, connector: str, detail: Mapping[str, Any], today: date
) -> Topic:
    """Write what one event means to people; `detail` is what was known when the mail was written."""
    say = _Words(company, connector, detail, today)
    return say.ended(event) if letter is LetterKind.ENDED else say.goes_on(event)


def opening(letter: LetterKind, event: EventKind) -> str:
    """Return the line that tells a later mail from the first; '' for the first."""
    if letter is LetterKind.CHANGED:
        return "You were told of this before. It has changed since."
    if letter is LetterKind.REMINDER and event is not EventKind.EXPIRY:
        return "You were told of this before. It goes on."
    return ""


def subject(letter: LetterKind, event: EventKind, topics: list[Topic]) -> str:
    """Return the subject of a mail about one event, or about several of a kind; always one line."""
    first = {
        LetterKind.ENDED: "Resolved: ",
        LetterKind.REMINDER: "" if event is EventKind.EXPIRY else "Reminder: ",
    }.get(letter, "")
    companies = sorted({topic.company for topic in topics})
    if len(topics) == 1:
        text = f"{companies[0]}: {_small(topics[0].title)}"
    elif len(companies) == 1:
        text = f"{companies[0]}: {_small(_MANY[event])} ({len(topics)})"
    else:
        text = f"{len(companies)} companies: {_small(_MANY[event])}"
    return " ".join(f"{first}{text}".split())


def shared(topics: list[Topic]) -> Topic | None:
    """Return a topic that speaks for all where one does: what is not wrong, and the next step, are said once then."""
    return topics[0] if len({(topic.fine, topic.next_step) for topic in topics}) == 1 else None


def heading(letter: LetterKind, event: EventKind, topics: list[Topic]) -> str:
    """Return the mail's heading."""
    if len(topics) == 1:
        return topics[0].title
    return f"{'Resolved: ' if letter is LetterKind.ENDED else ''}{_MANY[event]}"


_MANY = {
    EventKind.UNAUTHORIZED: "Microsoft refuses connectors",
    EventKind.HELD: "Changes are held",
    EventKind.SYNC_GROUP: "Sync groups need a person",
    EventKind.UNREACHABLE: "Microsoft is unreachable",
    EventKind.LICENCES: "Licences are short",
    EventKind.SPARED: "The last administrators are leaving",
    EventKind.EXPIRY: "Secrets or certificates expire",
}

_CAUSES = {
    HoldCause.BRAKE: "more people would leave at once than the brake allows",
    HoldCause.GROWTH: "more people would join at once than the brake allows",
    HoldCause.ADMIN: "an administrator’s account is linked only when a person confirms it",
}


_CREDENTIALS = {CredentialKind.SECRET: "client secret", CredentialKind.CERTIFICATE: "certificate"}


class _Words:
    def __init__(self, company: str, connector: str, detail: Mapping[str, Any], today: date) -> None:
        self.company, self.connector, self.detail, self.today = company, connector, detail, today

    def goes_on(self, event: EventKind) -> Topic:
        return {
            EventKind.UNAUTHORIZED: self.unauthorized,
            EventKind.HELD: self.held,
            EventKind.SYNC_GROUP: self.sync_group,
            EventKind.UNREACHABLE: self.unreachable,
            EventKind.LICENCES: self.licences,
            EventKind.SPARED: self.spared,
            EventKind.EXPIRY: self.expiry,
        }[event]()

    def topic(
        self, title: str, happened: str, fine: str, next_step: str, button: str = "Open the connector", small: str = ""
    ) -> Topic:
        return Topic(self.company, title, happened, fine, next_step, button, small)

    def unauthorized(self) -> Topic:
        return self.topic(
            "Microsoft refuses the connector",
            f"{self._connector()} is Unauthorized since {self._since()}. {self.detail['sentence']}",
            "Nobody has lost an account or a group: all stays as it was at the last synchronisation. Until this is put "
            "right, whoever joins or leaves in Microsoft Entra is not noticed.",
            "Open Azure Auth of the connector, put right what is said above, and choose Verify Connection.",
            small=str(self.detail["reference"]),
        )

    def held(self) -> Topic:
        number = int(self.detail["number"])
        changes = _number(number, "change is", "changes are") if number else "Changes are"
        causes = "; ".join(_CAUSES[HoldCause(cause)] for cause in self.detail["causes"] if cause in _CAUSES)
        return self.topic(
            f"{changes} held",
            f"{changes} held for {self.company}{f': {causes}' if causes else ''}.",
            "Nothing has happened to these people: they keep what they have until somebody decides. All other "
            "changes are carried out as usual.",
            "Look at who is concerned. If it is meant, approve the changes; if not, keep the accounts, and put the "
            "sync group right in Microsoft Entra.",
            "Look at the held changes",
        )

    def sync_group(self) -> Topic:
        group = f"“{self.detail['group']}”" if self.detail["group"] else "the chosen group"
        held = int(self.detail["held"])
        attention = Attention(self.detail["attention"])
        if attention is Attention.SYNC_GROUP_EMPTY:
            happened = f"Nobody is in the sync group {group} of {self.company} any more."
            if held:
                happened += f" {_number(held, 'person', 'people')} would lose access by that."
            return self.topic(
                "The sync group is empty",
                happened,
                "Nobody has lost anything by it: these changes are held, whatever their number. People who are "
                "disabled or deleted in Microsoft Entra are still followed.",
                "Put the members back into the group in Microsoft Entra. If the group is meant to be empty, approve "
                "the changes at the connector.",
            )
        if attention is Attention.SYNC_GROUP_MISSING:
            return self.topic(
                "The sync group was deleted",
                f"The sync group {group} of {self.company} does not exist in Microsoft Entra any more.",
                "Nobody is removed, and nobody is added, until there is a group again.",
                "Restore the group in Microsoft Entra, which is possible for 30 days there, or choose another sync "
                "group at the connector.",
            )
        return self.topic(
            "The sync group cannot be read",
            f"Microsoft Entra does not show all members of the sync group {group} of {self.company}.",
            "Nobody is removed, and nobody is added, until the group can be read completely.",
            "Look at the visibility of the group’s membership, and of the groups nested in it, or choose another sync "
            "group at the connector.",
        )

    def unreachable(self) -> Topic:
        return self.topic(
            "Microsoft is unreachable",
            f"{self._connector()} has not reached Microsoft since {self._since()}.",
            "Nobody has lost anything, and the client secret is not in doubt. Every run tries again, and the connector "
            "catches up by itself.",
            "There is usually nothing to do but wait. If other services reach Microsoft, look at this portal’s own way "
            "out to the internet.",
        )

    def licences(self) -> Topic:
        number, licences = int(self.detail["number"]), self.detail["licences"]
        who = _number(number, "person waits", "people wait") if number else "People wait"
        bought = f" All {licences:,} are in use." if licences is not None else ""
        return self.topic(
            "Licences are short",
            f"{who} for a licence at {self.company}.{bought}",
            "Nobody who has an account loses it. Whoever waits becomes Active as soon as there is a licence, the "
            "oldest first.",
            "Buy more licences, or disable accounts that are not needed any more.",
            "See who waits",
        )

    def spared(self) -> Topic:
        return self.topic(
            "The last administrators are leaving",
            f"By the sync rules, {self.company} would be left without an active administrator.",
            "They keep their accounts for now, whatever the rules say; everybody else is synchronised as usual.",
            "Make another account of the company an administrator. The next run then lets these go.",
        )

    def expiry(self) -> Topic:
        kind, day = CredentialKind(self.detail["what"]), date.fromisoformat(self.detail["expires_on"])
        by_certificate, what = kind is CredentialKind.CERTIFICATE, _CREDENTIALS[kind]
        days = (day - self.today).days
        if days < 0:
            title = f"The {what} has expired"
            told = "" if by_certificate else ", by the date that was entered"
            happened = f"The {what} of {self.company} expired on {_day(day)}{told}."
        else:
            distance = {0: "today", 1: "tomorrow"}.get(days, f"in {days} days")
            title = f"The {what} expires {distance}"
            happened = f"The {what} with which {self.company} is synchronised expires on {_day(day)}."
        make = "Make a new certificate on the tab Azure Auth, and upload it in Microsoft Entra."
        if not by_certificate:
            make = "Make a new client secret in Microsoft Entra, and enter its value on the tab Azure Auth."
        return self.topic(
            title,
            happened,
            "Nobody loses an account or a group by it. But Microsoft refuses the connector then, and whoever joins or "
            "leaves is not noticed.",
            f"{make} The old one works until the new one is proven.",
        )

    def ended(self, event: EventKind) -> Topic:
        what = _CREDENTIALS.get(self.detail.get("what", ""), "")
        title, happened = {
            EventKind.UNAUTHORIZED: (
                "Microsoft accepts the connector again",
                f"{self._connector()} works again. What was missed is caught up with the next run.",
            ),
            EventKind.HELD: ("No change is held any more", f"All changes of {self.company} are decided or settled."),
            EventKind.SYNC_GROUP: (
                "The sync group is in order again",
                f"The sync group of {self.company} can be read, and people are in it.",
            ),
            EventKind.UNREACHABLE: (
                "Microsoft is reachable again",
                f"{self._connector()} reaches Microsoft again, and catches up by itself.",
            ),
            EventKind.LICENCES: ("Licences suffice again", f"Nobody waits for a licence at {self.company} any more."),
            EventKind.SPARED: (
                "The company keeps an administrator",
                f"{self.company} is not about to lose its last administrator any more.",
            ),
            EventKind.EXPIRY: (
                f"The {what} does not expire soon any more",
                f"{self.company} is synchronised with a newer one, or the date was put right.",
            ),
        }[event]
        return self.topic(title, happened, "", "There is nothing left to do.")

    def _connector(self) -> str:
        return f"The connector “{self.connector}” of {self.company}"

    def _since(self) -> str:
        since = datetime.fromisoformat(self.detail["since"])
        return f"{since:%H:%M} UTC on {_day(since.date())}"


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _number(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _small(title: str) -> str:
    """Let a title stand behind a colon."""
    return title if title.startswith("Microsoft") else title[:1].lower() + title[1:]
