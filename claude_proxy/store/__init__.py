"""What is kept on disk: stored responses, conversations, background runs and usage, in one SQLite file.

    store = Store(paths().store_file, Limits(config.store_max_size, config.store_max_age))
    try:
        await store.responses.put(StoredResponse(id, created_at, "completed", body, input_items))
    except StoreError as exc:
        ...  # a warning: the answer goes on
    if (chain := await store.responses.chain(previous_response_id)) is None:
        ...  # 404 previous_response_not_found
    page = await store.responses.input_items(id, Paging(after=last_id, order="asc"))
    await store.conversations.add_items(conversation_id, [Item("", json)])
    await store.runs.append_events(id, [RunEvent(0, frame)])
    interrupted = await store.runs.end_interrupted("failed", failed_body)  # once, at the start
    await store.usage.add([UsageRow(...)])
    await store.close()

`Store` and `Limits` are in `store.store`; each other name is in the module of its method. Bodies and items are opaque
JSON bytes: only `output` of a body and `id` of an input item are looked at. No content is ever logged. A table of
another kind is a module with a `SCHEMA`, listed in `SCHEMAS`, that uses `store.write` and `store.read`.
"""
