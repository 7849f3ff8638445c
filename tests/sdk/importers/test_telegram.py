import json
from pathlib import Path

import pytest

from amparo.errors import ImportFormatError
from amparo.importers import parse_telegram, read_export

FIXTURES = Path(__file__).parents[2] / "fixtures"


def chat(*messages, **more):
    return json.dumps({"name": "R", "type": "personal_chat", "messages": list(messages), **more})


def message(**fields):
    return {"type": "message", "from": "A", "from_id": "user1", "text": "x", **fields}


def test_full_account():
    (conversation,) = read_export(FIXTURES / "handmade" / "telegram_full_result.json")
    assert conversation.title == "Robin"
    assert [(m.sender, m.text, m.kind, m.sent_at) for m in conversation.messages] == [
        ("Robin", "hello", "text", 1705421100.0),
        ("Alex", "see https://example.org later", "text", 1705421160.0),
        ("user333", "", "media", 1705421280.0),
    ]


@pytest.mark.parametrize("name", ["test_single_export", "test_batch_export"])
def test_single_and_full_export_of_one_chat_agree(name):
    (conversation,) = read_export(FIXTURES / "chat-miner" / "telegram" / f"{name}.json")
    assert [(m.sender, m.text) for m in conversation.messages] == [
        ("Author 1", "Minimal Message"),
        ("Author 2", "Link:https://telegram.org/"),
    ]


def test_personal_chat_and_group():
    (personal,) = read_export(FIXTURES / "tg-parser" / "personal_chat.json")
    assert [m.text for m in personal.messages] == [
        "Hello!",
        "Hi there!",
        "Check this important message",
        "Got it!",
    ]
    (group,) = read_export(FIXTURES / "tg-parser" / "supergroup_with_topics.json")
    assert (group.title, group.senders) == ("Test Group", ("User1", "User2", "User3"))


def test_two_accounts_of_one_name_stay_apart():
    (c,) = parse_telegram(chat(message(), message(from_id="user2"), message(**{"from": "B"})))
    assert c.senders == ("A (user1)", "A (user2)", "B")


@pytest.mark.parametrize(
    ("fields", "sent_at"),
    [
        ({"date_unixtime": "1705421100"}, 1705421100.0),
        ({"date_unixtime": 1705421100}, 1705421100.0),
        ({"date": "2024-01-16T16:05:00"}, 1705421100.0),
        ({"date_unixtime": "nan"}, None),
        ({"date_unixtime": "9" * 400}, None),
        ({"date_unixtime": 10**400}, None),
        ({"date": "yesterday"}, None),
        ({}, None),
    ],
)
def test_times(fields, sent_at):
    (c,) = parse_telegram(chat(message(**fields)))
    assert c.messages[0].sent_at == sent_at


def test_attachments_are_named():
    photo = message(photo="photos/photo_1.jpg", text="look")
    left_out = message(file="(File not included. Change data exporting settings to download.)")
    named = message(file="video_files\\a.mp4", file_name="holiday.mp4", media_type="video_file")
    (c,) = parse_telegram(chat(photo, left_out, named))
    assert [(m.kind, m.text, m.attachment) for m in c.messages] == [
        ("media", "look", "photo_1.jpg"),
        ("media", "x", None),
        ("media", "x", "holiday.mp4"),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        "", "{", "[]", "null", "{}", '{"messages": 3}', '{"messages": [3]}', '{"messages": [{}]}',
        '{"messages": [{"type": "Generic"}]}', '{"messages": [{"type": "message", "text": 3}]}',
        '{"chats": {"list": [3]}}', '{"chats": {"list": []}}', '{"chats": 3}', "[" * 100_000,
        '{"a":' * 100_000, '{"messages": ' + "9" * 5000 + "}",
    ],
    ids=range(16),
)  # fmt: skip
def test_other_json_is_refused_without_context(raw):
    with pytest.raises(ImportFormatError) as caught:
        parse_telegram(raw)
    assert caught.value.__context__ is None
    assert "JSON" in caught.value.advice
