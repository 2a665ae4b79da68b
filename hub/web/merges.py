"""Customers who are one person: who may be, what would be, making them one, and two again."""

from __future__ import annotations

from hub.agents.viewer import Viewer
from hub.domain.permissions import Permission
from hub.domain.views import DuplicateView, MergePreviewView, MergeView
from hub.store.database import Tx
from hub.timeline import merging
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import Merged, NewMerge, Page, Unmerged


@endpoint("GET", "/customers/{customer_id}/duplicates", access=Access.AGENT, summary="Who may be the same person")
async def list_duplicates(context: Context, customer_id: int) -> Page[DuplicateView]:
    """Customers of the same name, or with nearly the same mailbox, as far as you may see them; a few."""
    return Page(await context.hub.database.read(merging.load_duplicates, context.viewer, customer_id))


@endpoint("GET", "/customers/{customer_id}/merge-preview", access=Access.AGENT, summary="What a merge would make")
async def preview_merge(context: Context, customer_id: int, other_id: int) -> MergePreviewView:
    """Of the other into this one: the fields that both cards fill differently, and what is proposed for each."""
    return await context.hub.database.read(merging.preview, context.viewer, customer_id, other_id)


def _merge(tx: Tx, viewer: Viewer, customer_id: int, body: NewMerge) -> Merged:
    merge, customer = merging.merge(
        tx,
        viewer,
        customer_id,
        body.other_id,
        choices=body.choices,
        expected_version=body.expected_version,
        expected_other_version=body.expected_other_version,
    )
    return Merged(merge=merge, customer=customer)


@endpoint(
    "POST",
    "/customers/{customer_id}/merges",
    access=Permission.MERGE_CUSTOMERS,
    status=201,
    summary="Make two customers one",
)
async def merge_customers(context: Context, customer_id: int, body: NewMerge) -> Merged:
    """The other's addresses, conversations and activities become this customer's, and its card leads here. It can be undone
    exactly, at any time. 409 `version_conflict`, `merged`."""
    return await context.hub.database.transaction(_merge, context.viewer, customer_id, body)


@endpoint("GET", "/customers/{customer_id}/merges", access=Access.AGENT, summary="Whom they were found to be as well")
async def list_merges(context: Context, customer_id: int) -> Page[MergeView]:
    """Newest first; what was undone is not among them."""
    return Page(await context.hub.database.read(merging.load_merges, context.viewer, customer_id))


def _undo(tx: Tx, viewer: Viewer, merge_id: int) -> Unmerged:
    done = merging.undo(tx, viewer, merge_id)
    return Unmerged(customer=done.customer, other=done.other, kept=list(done.kept))


@endpoint("POST", "/customer-merges/{merge_id}/undo", access=Permission.MERGE_CUSTOMERS, summary="Two customers again")
async def undo_merge(context: Context, merge_id: int) -> Unmerged:
    """Whatever was the other's is theirs again, and whatever has come since to their addresses goes with it. A field that
    was filled from their card is taken back only if nobody has changed it since. 409 `merged_on`: this card itself was
    merged into another since; `conversations_merged`: a conversation of the one was merged into one of the other's; undo that
    first."""
    return await context.hub.database.transaction(_undo, context.viewer, merge_id)
