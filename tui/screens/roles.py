"""The roles screen: which card is the guest's, and which guest may have it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui import state
from tui.background import background
from tui.commands import Command, bindings
from tui.guest import hostdevs
from tui.host import HostError
from tui.live import Live
from tui.model import Domain, Gpu, HostView, domains_named
from tui.rules.r465 import not_shared
from tui.rules.roles import Choice
from tui.screens import roles_stages as stages
from tui.screens.arrangement import has_frames
from tui.screens.plan import PlanScreen
from tui.screens.roles_stages import Changed, Changing, Choosing, Failed, Restored, Saved, Stage
from tui.screens.swap_words import defect
from tui.screens.watch_words import watch_words
from tui.session import Session
from widgets.card_names import card_name
from widgets.choice_list import Candidate, ChoiceList
from widgets.figures import short
from widgets.lines import Tone
from widgets.owner import owner_words
from widgets.plan_page import Mark, PlanPage, State
from widgets.plan_panel import PlanPanel

CARD, GUEST = "card", "guest"

MARKS: dict[Tone, Mark] = {"good": "passed", "warn": "warned", "bad": "failed"}
"""The sign of a result, by its tone."""


class RolesScreen(PlanScreen):
    """Lets the user choose the card and the guest, saves the choice in the state file, and offers
    to add the card to the guest's definition."""

    NAME = "roles"
    CSS_PATH = "roles.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "#card"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        view = session.live.view
        self._card = view.guest_gpu.address if view.guest_gpu else None
        self._guest = view.guest.domain.uuid if view.guest else None
        self._stage: Stage = Choosing()

    def body(self) -> Iterable[Widget]:
        glyphs = self.glyphs
        with Container(id="body"):
            with Container(id="lists"):
                yield ChoiceList("Guest GPU", id=CARD, glyphs=glyphs)
                yield ChoiceList("Guest", id=GUEST, glyphs=glyphs)
            yield PlanPanel(glyphs)

    # --- choosing ---

    def on_choice_list_chosen(self, event: ChoiceList.Chosen) -> None:
        if not stages.can_choose(self._stage):
            return
        if event.kind == CARD:
            self._card = event.chosen
        else:
            self._guest = event.chosen
        self._go_to(Choosing())

    def _go_to(self, stage: Stage) -> None:
        self._stage = stage
        self.show()

    @property
    def _gpu(self) -> Gpu | None:
        return self.session.live.view.gpu(self._card) if self._card else None

    @property
    def _domain(self) -> Domain | None:
        guests = self.session.live.view.guests
        return next((g.domain for g in guests if g.domain.uuid == self._guest), None)

    @property
    def _needs_change(self) -> bool:
        gpu, domain = self._gpu, self._domain
        if gpu is None or domain is None or not domain.persistent or domain.problem is not None:
            return False
        return bool(hostdevs.missing(domain, gpu) or self._leaving(gpu, domain))

    def _leaving(self, gpu: Gpu, domain: Domain) -> dict[str, str]:
        """The hostdevs to remove from the definition, each with its reason."""
        view = self.session.live.view
        others = hostdevs.replaced(domain, gpu, view.gpus)
        return dict.fromkeys(others, "belongs to another card") | dict(
            hostdevs.stale(domain, gpu, view)
        )

    # --- keys ---

    def why_not(self, action: str) -> str | None:
        if action == "carry_out":
            choosing = isinstance(self._stage, Choosing)
            return self._why_not_save() if choosing else self._why_not_change()
        return super().why_not(action)

    def _why_not_save(self) -> str | None:
        config, live = self.session.config, self.session.live
        gpu = self._gpu
        if gpu is None:
            return "choose a card first"
        shared = not_shared(gpu, live.view)
        if shared.verdict == "fail":
            return f"it cannot be the guest's: {shared.why}"
        if live.view.swap is not None and live.view.swap.under_way:
            return "a swap is under way"
        if config.guest_gpu not in (None, self._card) or not self._as_configured(config.guest):
            return f"the configuration says otherwise: change it in {config.file}"
        return None

    def _as_configured(self, guest: str | None) -> bool:
        domains = (each.domain for each in self.session.live.view.guests)
        return guest is None or [d.uuid for d in domains_named(guest, domains)] == [self._guest]

    def _why_not_change(self) -> str | None:
        if isinstance(self._stage, Changing):
            return "it is being changed"
        if not self._needs_change:
            return "there is nothing left to do"
        return self.session.host.control.unavailable_reason

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the undo until there is something to undo."""
        if action == "take_back" and self._stage.change is None:
            return False
        return super().check_action(action, parameters)

    def word(self, command: Command) -> str:
        """What a key does: at first it saves the choice, then it changes the definition."""
        if command.id == "carry-out":
            return "assign" if isinstance(self._stage, Choosing) else "change it"
        return super().word(command)

    def action_carry_out(self) -> None:
        if isinstance(self._stage, Choosing):
            self.run_worker(self._save(), exclusive=True)
        else:
            self.run_worker(self._rewrite(), exclusive=True)

    def action_take_back(self) -> None:
        if self._stage.change is not None:
            self.run_worker(self._undo(self._stage.change), exclusive=True)

    async def _save(self) -> None:
        session, card, guest = self.session, self._card, self._guest
        session.live.choose(Choice(card, session.config.guest, guest))
        self._stage = saved = Saved()
        if session.host.banner is None:
            try:
                await background(lambda: state.save(guest_gpu=card, guest=guest))
            except OSError as error:
                if self._stage is saved:  # no other choice was made in the meantime
                    self._stage = Saved(warning=error.strerror)
        self.show()

    async def _rewrite(self) -> None:
        gpu, domain, session = self._gpu, self._domain, self.session
        if gpu is None or domain is None:
            return
        gpus, control, at = session.live.view.gpus, session.host.control, session.host.now()
        gone = tuple(hostdevs.stale(domain, gpu, session.live.view))
        folder = state.folder() / "domains"
        before = self._stage.change
        self._go_to(Changing(name=domain.name))
        try:
            change = await background(
                lambda: hostdevs.assign(
                    control, domain, gpu, gpus, folder=folder, at=at, stale=gone
                )
            )
            stage: Stage = Changed(name=domain.name, change=change)
        except HostError as error:
            stage = Failed(why=str(error), change=before)
        except Exception as error:  # a defect of ours, reported where the result would be
            stage = Failed(why=defect(error), change=before)
        self._go_to(stage)

    async def _undo(self, change: hostdevs.Change) -> None:
        control, domain = self.session.host.control, self._domain
        self._go_to(Changing(name=domain.name if domain else "the guest"))
        try:
            await background(lambda: hostdevs.undo(control, change))
            stage: Stage = Restored()
        except HostError as error:
            stage = Failed(why=str(error), change=change)
        except Exception as error:  # a defect of ours, reported where the result would be
            stage = Failed(why=defect(error), change=change)
        self._go_to(stage)

    # --- drawing ---

    def draw(self, live: Live) -> None:
        view = live.view
        self.query_one(f"#{CARD}", ChoiceList).show(
            [_card(gpu, view) for gpu in sorted(view.gpus, key=lambda g: g.address)], self._card
        )
        self.query_one(f"#{GUEST}", ChoiceList).show(
            [_guest(g.domain) for g in sorted(view.guests, key=lambda g: g.domain.name)],
            self._guest,
        )
        self.query_one(PlanPanel).show_whole(self.page(), self.app.size)
        self.query_one(PlanPanel).show_keys(self.edge_keys())

    def page(self) -> PlanPage:
        message, tone = self._say()
        saved = not isinstance(self._stage, Choosing)
        state = State(MARKS.get(tone, "noted"), "saved" if saved else "not saved")
        return PlanPage(("Roles", ""), state, message, tone, aside=self._about_the_watch())

    def _about_the_watch(self) -> str:
        """What the watch does, and where that is set. A phone leaves the latter to the settings, as
        the lists need the rows."""
        watch = watch_words(self.session)
        if watch is None:
            return ""
        does = f"Watch: {watch.does}."
        return f"{does} {watch.sentence}" if has_frames(self.app.size) else does

    def _say(self) -> tuple[str, Tone]:
        gpu, domain = self._gpu, self._domain
        outcome = stages.outcome(self._stage, self.keys["undo"])
        if outcome is not None:
            return outcome
        if gpu is None:
            return (
                "Choose the guest's card with enter; tab moves to the guests.",
                "text",
            )
        if isinstance(self._stage, Choosing):
            whom = f"to {domain.name}" if domain else "to whichever guest lists it"
            save = f"Press {self.keys['carry-out']} to assign {short(gpu.address)} {whom}."
            return f"{save} The host keeps the other GPUs.", "text"
        if not self._needs_change or domain is None:
            return "The choice is saved.", "good"
        return self._offer(gpu, domain), "text"

    def _offer(self, gpu: Gpu, domain: Domain) -> str:
        view, out = self.session.live.view, self._leaving(gpu, domain)
        names = " ".join(map(short, hostdevs.missing(domain, gpu)))
        gone = " ".join(map(short, out))
        press = f"press {self.keys['carry-out']}"
        if names:
            instead = f" in place of {gone}" if out else ""
            change = f"does not list the card yet: {press} to add {names}{instead} to"
        else:
            change = f"lists the card and other devices: {press} to remove {gone} from"
        whys = [f"{short(address)} {why}." for address, why in out.items()]
        whys += [
            f"{short(address)} {why}. It stays; {domain.edit} removes it."
            for address, why in hostdevs.doubtful(domain, gpu, view).items()
        ]
        when = " The change takes effect at its next start." if domain.active else ""
        return " ".join((
            f"The choice is saved. {domain.name} {change} its definition; nothing else in it "
            "changes.", *whys, f"Its present definition is backed up.{when}",
        ))  # fmt: skip


def _card(gpu: Gpu, view: HostView) -> Candidate:
    shared = not_shared(gpu, view)
    return Candidate(
        gpu.address, f"{short(gpu.address)} {card_name(gpu.name)}",
        owner_words(gpu)[2][0],
        shared.why if shared.verdict == "fail" else None,
    )  # fmt: skip


def _guest(domain: Domain) -> Candidate:
    devices = " ".join(short(a) for a in domain.addresses) or "no PCI device"
    return Candidate(domain.uuid, domain.name, f"{domain.state} · {devices}")
