"""Custom fields: which there are, and who may write them. Values are written with what they are of."""

from __future__ import annotations

from collections.abc import Sequence

from hub.domain.fields import FieldOption
from hub.domain.permissions import Permission
from hub.domain.views import CustomFieldView
from hub.store.database import Tx
from hub.timeline import custom_fields
from hub.web.api import Access, Context, endpoint
from hub.web.schemas import FieldOptionIn, FieldOrder, FieldUse, NewCustomField, Page, UpdateCustomField


def _options(given: Sequence[FieldOptionIn]) -> tuple[FieldOption, ...]:
    return tuple(FieldOption(each.key, each.label, each.active) for each in given)


@endpoint("GET", "/custom-fields", access=Access.AGENT, summary="All custom fields")
async def list_fields(context: Context) -> Page[CustomFieldView]:
    """In the order of forms, also those that are switched off: what has a value of them shows it."""
    return Page(await context.hub.database.read(custom_fields.load_fields))


@endpoint("POST", "/custom-fields", access=Permission.MANAGE_SETTINGS, status=201, summary="Define a custom field")
async def create_field(context: Context, body: NewCustomField) -> CustomFieldView:
    """409 `key_taken` if there is one with this key."""
    return await context.hub.database.transaction(
        custom_fields.create_field,
        context.viewer,
        subject=body.subject,
        key=body.key,
        name=body.name,
        kind=body.kind,
        hint=body.hint,
        options=_options(body.options),
        section=body.section,
        required=body.required,
        editable_by=body.editable_by,
    )


@endpoint("PUT", "/custom-fields/order", access=Permission.MANAGE_SETTINGS, summary="Put them in order")
async def arrange_fields(context: Context, body: FieldOrder) -> Page[CustomFieldView]:
    return Page(await context.hub.database.transaction(custom_fields.arrange, body.field_ids))


@endpoint("PATCH", "/custom-fields/{field_id}", access=Permission.MANAGE_SETTINGS, summary="Change a custom field")
async def update_field(context: Context, field_id: int, body: UpdateCustomField) -> CustomFieldView:
    """409 `in_use` for another kind, or an option less, of what has values; `version_conflict`."""
    return await context.hub.database.transaction(
        custom_fields.update_field,
        context.viewer,
        field_id,
        name=body.name,
        hint=body.hint,
        kind=body.kind,
        options=_options(body.options) if body.options is not None else None,
        section=body.section,
        required=body.required,
        editable_by=body.editable_by,
        active=body.active,
        expected_version=body.expected_version,
    )


@endpoint(
    "GET", "/custom-fields/{field_id}/use", access=Permission.MANAGE_SETTINGS, summary="How much has a value of it"
)
async def get_use(context: Context, field_id: int) -> FieldUse:
    def count(tx: Tx) -> FieldUse:
        return FieldUse(custom_fields.count_uses(tx, custom_fields.load_field(tx, field_id)))

    return await context.hub.database.read(count)


@endpoint("DELETE", "/custom-fields/{field_id}", access=Permission.MANAGE_SETTINGS, summary="Remove a custom field")
async def remove_field(context: Context, field_id: int) -> None:
    """409 `in_use` if anything has a value of it: switch it off instead."""
    await context.hub.database.transaction(custom_fields.remove_field, context.viewer, field_id)
