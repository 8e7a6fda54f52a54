"""``docs/rehearsing.md``: what a rehearsal is, with its tables from the code."""

from __future__ import annotations

from newsletter.delivery.checker import INVARIANTS
from newsletter.providers.dialects.hostile_words import SAID
from newsletter.providers.hostile.fates import LEVELS
from newsletter.providers.hostile.likes import MODELS
from newsletter.providers.hostile.mishaps import MISHAPS, Mishap

_WHERE = {
    "": "everywhere",
    "recipients": "where an answer speaks of each recipient",
    "whole": "where an answer speaks of the call as a whole",
    "keys": "where keys are kept",
}


def reference() -> str:
    """The whole page."""
    faults = "\n".join(map(_row, MISHAPS))
    rules = "\n".join(f"| {name} | {words} |" for name, words in INVARIANTS.items())
    models = ", ".join(f"`{name}`" for name in MODELS)
    levels = "\n".join(f"| `{name}` | {each.calls:.0%} | {each.people:.1%} |" for name, each in LEVELS.items())
    return f"""# Rehearsing a send

<!-- Generated from newsletter/cli/rehearsalpage.py by `make docs`; edit it there. -->

`newsletter rehearse` plays a whole send against a provider at which everything goes wrong, and then compares what the
ledger says with what that provider had accepted.

```console
$ newsletter rehearse --like mailgun --faults many --kills 3
```

The issue, the subscribers, the batches and the code are the real ones. These are not:

* **the ledger** is a copy, below `.newsletter/rehearsals/`, gone when the rehearsal ends (`--keep` leaves it; it holds
  people's addresses);
* **the provider** makes the calls of the one it is `--like`, byte for byte, holds its published limits, and sends
  nothing. Without `--like` it is like the configured one; {models} are bare models that differ in what they know
  of a call that comes twice. No key is needed;
* **time** is a clock that moves when somebody waits, so half an hour takes no time;
* **deaths**: `--kills` times the process dies at a moment drawn from the seed, before or after a commit or a call;
* **leavers**: a few people unsubscribe in the middle of it. They must get nothing.

When a run dies or is held, the next one goes on, as if you had typed `newsletter send` again. Everything is drawn from
`--seed`: the last line of the report replays the very same, as long as issue, audience and configuration stay.

## What goes wrong

`--faults` takes a level, or names from the table below between commas. A name that cannot happen at the provider which
the rehearsal is like is told; the others are played.

| level | of all calls | of all people |
|---|---|---|
{levels}

| fault | what arrives | what is heard | what a send makes of it | where it happens | over HTTP |
|---|---|---|---|---|---|
{faults}

A call is *made again with its key* only while the provider remembers it. Two answers in a row that say nothing hold
the send; the next run goes on.

## What must hold

| rule | in words |
|---|---|
{rules}

A broken rule ends the rehearsal with exit code 1 and is named. Otherwise it ends as a send would: 0 when all is well, 1
when people were refused, 3 when messages are in doubt.

## What it shows, and what it cannot

It shows that *this* issue to *these* people in *these* batches comes through what is in the table: nobody twice,
nobody lost unnoticed. It shows how many would be in doubt, and how long the calls take at the provider's rate.

It does not show that a provider behaves as it says it does, that mail reaches an inbox, or that this machine's disk
keeps what it was given. Deaths are played within one process that works with one thread, so that a seed replays;
real kills, several processes and failing disks are for the tests.

## The same for real processes

`newsletter outbox --listen --hostile` puts the faults behind the HTTP interfaces of Mailgun and Resend, in each
provider's own words: see [the outbox](outbox.md). Point `base_url` there and `newsletter send` is a trial against it.
Mailgun names a wait in its words only, greets a wrong URL with 200, and answers 502 for mail that went out; Resend
sends `retry-after`, and 409 for a key that is under way or stands for another body. Named waits are two seconds there.

```console
$ newsletter outbox --listen --hostile many --seed 7 --hang 5
```

`--hang` is for how many seconds an answer that never comes is held back: longer than the `timeout` of the provider in
`newsletter.yaml`, or the client never gives up. What was accepted stands in `.newsletter/outbox/truth.jsonl`, one
line for each call and each acceptance, on the disk before the answer leaves; people stand in it by number only.
"""


def _row(mishap: Mishap) -> str:
    over = ", ".join(speaks.title() for speaks, said in SAID.items() if mishap.name in said)
    where = _WHERE[mishap.needs]
    cells = (f"`{mishap.name}`", mishap.arrives, mishap.heard, mishap.leads, where, over or "–")
    return f"| {' | '.join(cells)} |"
