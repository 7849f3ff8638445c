import datetime
import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amparo.errors import ImportFormatError
from amparo.importers import ImportLimits, parse_whatsapp, read_export
from amparo.importers.timestamps import calendar_date, read_header

FIXTURES = Path(__file__).parents[2] / "fixtures"
HANDMADE = FIXTURES / "handmade" / "whatsapp"
EXPECTED = json.loads((HANDMADE / "expected.json").read_text(encoding="utf-8"))


def iso(sent_at):
    return datetime.datetime.fromtimestamp(sent_at, datetime.UTC).isoformat()


def read_one(path):
    (conversation,) = read_export(path)
    return conversation


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_locale(name):
    expected = EXPECTED[name]
    conversation = read_one(HANDMADE / f"{name}.txt")
    messages = conversation.messages
    assert len(messages) == expected["user_messages"]
    assert list(conversation.senders) == expected["participants"]
    assert iso(messages[0].sent_at)[:16] == expected["first_iso"]
    multiline = messages[expected["multiline_index"]]
    assert multiline.text == "Yes: bring water 😀\nsecond line of the same message"
    assert messages[-1].text == "ok"
    assert [m.kind for m in messages] == ["text", "text", *["media"] * (len(messages) - 3), "text"]
    assert conversation.title == name


@pytest.mark.parametrize("path", sorted((FIXTURES / "chat-miner" / "whatsapp").glob("*.txt")), ids=str)
def test_date_order_comes_from_the_whole_file(path):
    assert [(iso(m.sent_at)[:10], m.sender) for m in read_one(path).messages] == [
        ("2019-01-01", "John Doe"),
        ("2019-01-20", "John Doe"),
        ("2019-01-30", "Jahn Doe"),
        ("2020-06-10", "John-John Doe"),
        ("2021-12-10", "John Doe 🤓"),
        ("2021-12-20", "🤓"),
        ("2021-12-30", "John Doe"),
    ]


def test_a_name_known_elsewhere_needs_no_space_after_its_colon():
    path = FIXTURES / "chat-miner" / "whatsapp" / "test_ddmmyy_24hrs.txt"
    assert read_one(path).messages[1].text == "."


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("1/2/24, 16:05 - A: x\n1/3/24, 16:05 - A: x\n1/4/24, 16:05 - A: x", ["01-02", "01-03", "01-04"]),
        ("1/2/24, 16:05 - A: x\n2/2/24, 16:05 - A: x\n3/2/24, 16:05 - A: x", ["02-01", "02-02", "02-03"]),
        ("1/2/24, 4:05 PM - A: x", ["01-02"]),
        ("01/02/24, 4:05 pm - A: x", ["02-01"]),
        ("1.2.24, 16:05 - A: x", ["02-01"]),
    ],
)
def test_open_dates_lie_close_together(text, days):
    assert [iso(m.sent_at)[5:10] for m in parse_whatsapp(text).messages] == days


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("12:00 AM", "00:00"), ("12:00 PM", "12:00"), ("1:30 p. m.", "13:30"),
        ("11:59\u202fp.\u00a0m.", "23:59"), ("00:08 a. m.", "00:08"),
        ("রাত ১১:০৫", "23:05"),
        ("রাত ২:০৫", "02:05"), ("বিকাল ৪:০৫", "16:05"),
        ("12:10 π.μ.", "00:10"), ("16.05", "16:05"), ("9:05 сл.об.", "21:05"),
    ],
)  # fmt: skip
def test_clocks(clock, expected):
    (message,) = parse_whatsapp(f"16/01/2024, {clock} - A: x").messages
    assert iso(message.sent_at)[11:16] == expected


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ((1402, 10, 26), "2024-01-16"), ((1403, 12, 30), "2025-03-20"), ((1400, 1, 1), "2021-03-21"),
        ((1399, 12, 30), "2021-03-20"), ((2567, 1, 16), "2024-01-16"), ((24, 1, 16), "2024-01-16"),
    ],
)  # fmt: skip
def test_calendars(date, expected):
    assert calendar_date(*date).isoformat() == expected


def test_a_lunar_year_keeps_the_message_without_a_time():
    (message,) = parse_whatsapp("4/7/1445, 16:05 - A: x").messages
    assert (message.text, message.sent_at) == ("x", None)


def test_lines_of_another_layout_belong_to_the_message_that_quotes_them():
    messages = read_one(FIXTURES / "chatistics" / "_chat.txt").messages
    assert {m.sender for m in messages} == {"Alice Placeholder", "John Doe"}
    assert len(messages) == 20
    quoting = [m for m in messages if "\n" in m.text]
    assert [m.text.partition("\n")[2][:12] for m in quoting] == ["[1.2.2019, 0", "2/11/19, 14:"]


def test_a_quote_that_outnumbers_the_chat_does_not_replace_it():
    quoted = "\n".join("[16.01.24, 10:00:00] C: y" for _ in range(50))
    messages = parse_whatsapp(f"16/01/2024, 16:05 - A: x\n{quoted}\n16/01/2024, 16:06 - B: z").messages
    assert messages[0].sender == "A"
    assert messages[-1].sender == "B"


def test_two_layouts_in_like_number_are_both_read():
    messages = read_one(FIXTURES / "whatsapp-chat-parser-rb" / "sample.txt").messages
    assert [m.sender for m in messages] == ["John Doe", "Jane Smith", "Alice", "Bob"]
    assert {iso(m.sent_at)[:10] for m in messages} == {"2025-12-15"}
    assert "It has multiple lines\nto test grouping." in messages[1].text


def test_odd_names_and_repeated_system_lines():
    messages = read_one(FIXTURES / "chatistics" / "_chat 3.txt").messages
    assert len(messages) == 9
    assert messages[3].sender == messages[5].sender == "The final test"
    assert messages[7].text.startswith("\n\n\n")
    assert "2/11/19: Arrival" in messages[8].text
    assert len(read_one(FIXTURES / "chatistics" / "_chat 2.txt").messages) == 4
    us = read_one(FIXTURES / "chatistics" / "_chat 4.txt").messages
    assert [iso(m.sent_at) for m in us] == [
        "2019-09-17T08:30:52+00:00",
        "2019-09-17T16:30:10+00:00",
        "2019-09-18T16:50:32+00:00",
    ]


def test_zip_and_text_of_one_chat_agree():
    folder = FIXTURES / "whatsapp-chat-parser-website"
    from_zip, from_text = read_one(folder / "export_no_media.zip"), read_one(folder / "_chat.txt")
    assert from_zip.messages == from_text.messages
    assert from_zip.title == "export_no_media"
    assert len(from_text.messages) == 48
    attachments = [m.attachment for m in from_text.messages if m.kind == "media"]
    assert attachments[0] == "00000001-PHOTO-2019-06-20-16-00-15.jpg"
    assert len(attachments) == 4


@pytest.mark.parametrize(
    ("body", "kind", "text", "attachment"),
    [
        ("<Media omitted>", "media", "", None),
        ("<Praleista medija>", "media", "", None),
        ("\u200eIMG-20240116-WA0001.jpg (file attached)\nlook", "media", "look", "IMG-20240116-WA0001.jpg"),
        ("notes.pdf (archivo adjunto)", "media", "", "notes.pdf"),
        ("look \u200e<Anhang: 0001-PHOTO.jpg>", "media", "look", "0001-PHOTO.jpg"),
        ("\u200e<neznámo: 0001-PHOTO.jpg>", "media", "", "0001-PHOTO.jpg"),
        ("plan.pdf • \u200e3 pages \u200edocument omitted", "media", "", "plan.pdf"),
        ("\u200eBild weggelassen", "media", "", None),
        ("This message was deleted.", "deleted", "", None),
        ("\u200eSe eliminó este mensaje.", "deleted", "", None),
        ("fine \u200e<This message was edited>", "text", "fine", None),
        # nothing that somebody wrote is taken for a placeholder
        ("I omitted it", "text", "I omitted it", None),
        ("<hello there>", "text", "<hello there>", None),
        ("<see: notes.txt>", "text", "<see: notes.txt>", None),
        ("a.txt (really)", "text", "a.txt (really)", None),
        ("\u200edo not tell", "text", "\u200edo not tell", None),
    ],
)
def test_placeholders(body, kind, text, attachment):
    raw = f"16/01/2024, 16:05 - B: before\n16/01/2024, 16:05 - A: {body}\n16/01/2024, 16:06 - B: after"
    message = parse_whatsapp(raw).messages[1]
    assert (message.kind, message.text, message.attachment) == (kind, text, attachment)


@pytest.mark.parametrize(
    "line",
    [
        'Alex changed the subject to "Club: news"',
        "You were added",
        "\u200eAlex: \u200eMessages and calls are end-to-end encrypted.",
        "Alex: \u200eDie Nachrichten sind Ende-zu-Ende-verschlüsselt.",
        "x" * 200 + ": y",
    ],
)
def test_lines_of_the_app_are_left_out(line):
    messages = parse_whatsapp(f"16/01/2024, 16:05 - {line}\n16/01/2024, 16:06 - B: z").messages
    assert [m.text for m in messages] == ["z"]


def test_invalid_dates_stay_text():
    (message,) = parse_whatsapp("16/01/2024, 16:05 - A: x\n99/99/2024, 16:05 - B: y").messages
    assert message.text == "x\n99/99/2024, 16:05 - B: y"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_encodings_and_windows_lines(tmp_path, encoding):
    path = tmp_path / "chat.bin"
    path.write_bytes("16.01.24, 16:05 - Ада: здравей\r\nвтори ред\r\n".encode(encoding))
    (message,) = read_one(path).messages
    assert (message.sender, message.text) == ("Ада", "здравей\nвтори ред")


def test_line_separators_inside_a_message_do_not_split_it():
    (message,) = parse_whatsapp("16.01.24, 16:05 - A: a\u2028b\x0bc\x85d").messages
    assert message.text == "a\u2028b\x0bc\x85d"


def zipped(tmp_path, members, **options):
    path = tmp_path / "chat.zip"
    with zipfile.ZipFile(path, "w", options.get("compression", zipfile.ZIP_DEFLATED)) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


CHAT = "16/01/2024, 16:05 - A: x"


def test_the_chat_is_found_among_other_members(tmp_path):
    path = zipped(tmp_path, {
        "IMG-1.jpg": b"\xff\xd8", "a.txt": "shopping list", "b.txt": CHAT.replace("x", "sent file"),
        "__MACOSX/_chat.txt": b"\x00", "WhatsApp Chat with B.txt": CHAT,
    })  # fmt: skip
    conversation = read_one(path)
    assert conversation.title == "WhatsApp Chat with B"
    assert [m.text for m in conversation.messages] == ["x"]


@pytest.mark.parametrize(
    ("members", "limits", "says"),
    [
        ({}, {}, "no chat"),
        ({"a.txt": "hello"}, {}, "no chat"),
        ({f"{i}.jpg": b"" for i in range(11)}, {"max_archive_members": 10}, "more than 10 members"),
        ({"_chat.txt": CHAT + "a" * 100_000}, {"max_inflated_bytes": 50_000}, "larger than 50000 bytes"),
        ({f"{i}" * 200: b"" for i in range(9)}, {"max_directory_bytes": 500}, "damaged"),
        ({"_chat.txt": CHAT}, {"max_archive_bytes": 20}, "larger than 20 bytes"),
    ],
)
def test_zips_are_refused(tmp_path, members, limits, says):
    with pytest.raises(ImportFormatError, match=says):
        read_export(zipped(tmp_path, members), limits=ImportLimits(**limits))


def test_a_bomb_is_not_inflated(tmp_path):
    path = zipped(tmp_path, {"_chat.txt": CHAT.encode() + b"\n" * 50_000_000})
    assert path.stat().st_size < 100_000
    with pytest.raises(ImportFormatError, match="larger than"):
        read_export(path, limits=ImportLimits(max_inflated_bytes=1_000_000))


def test_other_compressions_are_not_opened(tmp_path):
    path = zipped(tmp_path, {"_chat.txt": CHAT}, compression=zipfile.ZIP_LZMA)
    with pytest.raises(ImportFormatError, match="no chat"):
        read_export(path)


def test_an_encrypted_member_is_refused(tmp_path):
    raw = bytearray(zipped(tmp_path, {"_chat.txt": CHAT}).read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "locked.zip"
    path.write_bytes(raw)
    with pytest.raises(ImportFormatError, match="encrypted"):
        read_export(path)


def test_limits_of_plain_files(tmp_path):
    path = tmp_path / "chat.txt"
    path.write_text(f"{CHAT}\n{CHAT}\n{CHAT}")
    for limits in (ImportLimits(max_file_bytes=10), ImportLimits(max_header_lines=2)):
        with pytest.raises(ImportFormatError):
            read_export(path, limits=limits)


def test_a_long_line_of_spaces_costs_nothing():
    assert read_header("1/1/24" + " " * 1_000_000 + "x") is None
    assert read_header("1/1/24, 10:10 - " + "x" * 1_000_000).rest.startswith("x")


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_damaged_zip_gives_conversations_or_the_typed_error(tmp_path_factory, extra, position, value):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_chat.txt", CHAT * 3)
        archive.writestr("photo.jpg", extra)
    raw = bytearray(buffer.getvalue())
    raw[position % len(raw)] = value
    path = tmp_path_factory.getbasetemp() / "fuzz.zip"
    path.write_bytes(raw)
    try:
        assert isinstance(read_export(path), list)
    except ImportFormatError as error:
        assert error.__context__ is None
