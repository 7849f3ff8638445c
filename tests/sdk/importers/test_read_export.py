import traceback
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amparo.errors import ImportFormatError
from amparo.importers import parse_export, read_export

FIXTURES = Path(__file__).parents[2] / "fixtures"
OTHER_FORMATS = [
    "handmade/kakaotalk_ko.txt", "handmade/line_ja.txt", "handmade/instagram_messenger_message_1.json",
    "handmade/sms_backup_restore.xml", "handmade/signal_export_data.jsonl",
    "handmade/snapchat_chat_history.json", "fb-chat-export/export-json-full.json",
    "chatistics/LICENSE",
]  # fmt: skip
CANARY = "CANARY-quartz-heron"


@pytest.mark.parametrize("name", OTHER_FORMATS)
def test_other_formats_are_refused_with_advice(name):
    with pytest.raises(ImportFormatError) as caught:
        read_export(FIXTURES / name)
    assert caught.value.advice


def test_content_decides_not_the_name(tmp_path):
    disguised = tmp_path / "photo.json"
    disguised.write_bytes((FIXTURES / "handmade" / "whatsapp" / "de_ios.txt").read_bytes())
    assert len(read_export(disguised)[0].messages) == 4
    disguised = tmp_path / "chat.txt"
    disguised.write_bytes((FIXTURES / "handmade" / "telegram_full_result.json").read_bytes())
    assert read_export(disguised)[0].title == "Robin"


def test_paths_that_cannot_be_opened(tmp_path):
    for path in (tmp_path / CANARY, tmp_path, "a\0b"):
        with pytest.raises(ImportFormatError) as caught:
            read_export(path)
        assert CANARY not in str(caught.value) and caught.value.__context__ is None


@pytest.mark.parametrize(
    "raw",
    [
        CANARY, f"{{{CANARY}", f'{{"messages": [{{"type": "{CANARY}"}}]}}', f'{{"{CANARY}": 1}}',
        f'{{"messages": [{{"type": "message", "text": {{"{CANARY}": 1}}}}]}}', f"<xml>{CANARY}</xml>",
    ],
)  # fmt: skip
def test_nothing_of_the_file_is_in_the_error(tmp_path, raw):
    path = tmp_path / f"{CANARY}.txt"
    path.write_text(raw)
    with pytest.raises(ImportFormatError) as caught:
        read_export(path)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_nothing_of_a_conversation_is_in_its_repr():
    (conversation,) = parse_export(f"16/01/2024, 16:05 - {CANARY}: {CANARY}".encode(), title=CANARY)
    message = conversation.messages[0]
    assert message.text == message.sender == CANARY
    assert CANARY not in repr(conversation) + repr(message)


PIECES = st.sampled_from(
    ["16/01/2024, 16:05 - ", "[1/2/24, 4:05:09\u202fPM] ", "A: ", "\u200e", "<", ">", "\n", "\r\n", "1445",
     "২৪", "٤", '{"messages": [', '{"type": "message", "text": ', '"x"', "}", "]", ",", "null", "\ufeff",
     " • ", "omitted", "0/0/0, 0:00 - ", ".jpg (file attached)"]
)  # fmt: skip


@given(
    st.binary(max_size=400)
    | st.lists(PIECES | st.text(max_size=8), max_size=30).map(lambda p: "".join(p).encode())
)
@settings(max_examples=800, deadline=None)
@example(b"\xff\xfe\x00")
@example(b"\xfe\xff" + "1/1/24, 1:01 - a: b".encode("utf-16-be") + b"\x00")
@example(b"16/01/2024, 16:05 - A: \xff\xff")
@example(b'{"messages": []}')
def test_any_bytes_give_conversations_or_the_typed_error(raw):
    try:
        conversations = parse_export(raw)
    except ImportFormatError as error:
        assert error.__context__ is None
        return
    for conversation in conversations:
        for message in conversation.messages:
            assert isinstance(message.text, str)
            assert message.sent_at is None or message.sent_at >= 0
