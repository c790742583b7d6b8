from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from studio.batches.tokenizer import ModelTokenizer, built_in_templates, load_tokenizer
from studio.errors import BadInput, Broken, NotFound, StudioError
from tests.studio.batches.families import CALL, CONVERSATIONS, FAMILIES, TOOL, assistant, user
from tests.tiny import CHATML, SPECIAL, tiny_model, tiny_tokenizer, write


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tiny_tokenizer(tmp_path_factory.mktemp("pair"))
    return ModelTokenizer.load(folder), AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_conversations_become_the_tokens_of_the_hugging_face_tokenizer(family, tmp_path):
    folder = family.write(tmp_path)
    ours, theirs = ModelTokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    assert ours.special_tokens == theirs.special_tokens_map
    for messages in CONVERSATIONS.values():
        try:
            expected = theirs.apply_chat_template(messages)["input_ids"]
        except Exception:
            with pytest.raises(BadInput):
                ours.render(messages)
            continue
        assert ours.encode(ours.render(messages)) == expected
        assert ours.decode(expected) == theirs.decode(expected, skip_special_tokens=True)
    for messages in ([user("Köln?"), assistant("", tool_calls=[CALL])],) if family.tools else ():
        expected = theirs.apply_chat_template(messages, tools=[TOOL], add_generation_prompt=True)["input_ids"]
        assert ours.encode(ours.render(messages, [TOOL], True)) == expected


@settings(deadline=None)
@given(question=st.text(max_size=60), answer=st.text(max_size=60))
def test_any_text_becomes_the_tokens_of_the_hugging_face_tokenizer(pair, question, answer):
    ours, theirs = pair
    messages = [user(question), assistant(answer + "<|im_end|>")]
    ids = ours.encode(ours.render(messages))
    assert ids == theirs.apply_chat_template(messages)["input_ids"]
    assert ours.decode(ids, special=True) == ours.render(messages)
    assert ours.encode_batch([answer], add_special_tokens=True)[0].ids == theirs(answer)["input_ids"]


@pytest.fixture(scope="module")
def starters(starter):
    return ModelTokenizer.load(starter), AutoTokenizer.from_pretrained(starter)


@pytest.mark.starter
@settings(deadline=None)
@given(question=st.text(max_size=80), answer=st.text(max_size=80))
def test_the_starter_model_is_tokenised_as_by_hugging_face(starters, question, answer):
    ours, theirs = starters
    messages = [user(question), assistant(answer)]
    assert ours.encode(ours.render(messages)) == theirs.apply_chat_template(messages)["input_ids"]
    assert ours.encode_batch([answer], add_special_tokens=True)[0].ids == theirs(answer)["input_ids"]
    assert (ours.bos_id, ours.eos_id, ours.pad_id) == (theirs.bos_token_id, theirs.eos_token_id, theirs.pad_token_id)


def test_a_model_folder_is_read_whole(tmp_path):
    tokenizer = load_tokenizer(tiny_model(tmp_path))
    im_end = tokenizer.backend.token_to_id("<|im_end|>")
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.stop_ids) == (None, im_end, (im_end,))
    assert tokenizer.pad_id == tokenizer.backend.token_to_id("<|endoftext|>")
    assert tokenizer.max_length == 512
    special = [token for token in range(512) if tokenizer.special_ids[token]]
    assert special == [tokenizer.backend.token_to_id(token) for token in SPECIAL]


def test_all_end_tokens_stop_an_answer(tmp_path):
    folder = tiny_model(tmp_path, special=(*SPECIAL, "</s>", "<stop>"), eos="</s>")
    ids = {token: ModelTokenizer.load(folder).backend.token_to_id(token) for token in ("</s>", "<stop>", "<|im_end|>")}
    write(folder / "generation_config.json", {"eos_token_id": [ids["<stop>"]]})
    assert set(ModelTokenizer.load(folder).stop_ids) == set(ids.values())


def test_limits_and_ends_are_found_in_the_text_part_of_a_model_config(tmp_path):
    folder = tiny_tokenizer(tmp_path, model_max_length=10**30)
    write(folder / "config.json", {"text_config": {"max_position_embeddings": 64, "eos_token_id": [0, 2]}})
    tokenizer = ModelTokenizer.load(folder)
    assert tokenizer.max_length == 64 and set(tokenizer.stop_ids) == {0, 2}
    assert ModelTokenizer.load(tiny_model(tmp_path / "model", model_max_length=100)).max_length == 100
    (folder / "config.json").unlink()
    assert ModelTokenizer.load(folder).max_length is None


def test_templates_in_files_go_before_the_one_in_the_config(tmp_path):
    folder = tiny_tokenizer(tmp_path, template="config")
    assert ModelTokenizer.load(folder).render([user("x")]) == "config"
    (folder / "chat_template.jinja").write_text("file")
    assert ModelTokenizer.load(folder).render([user("x")]) == "file"
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text("tools")
    (folder / "additional_chat_templates" / "short.jinja").write_text("short")
    tokenizer, theirs = ModelTokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    assert tokenizer.render([user("x")]) == "file" and tokenizer.render([user("x")], [TOOL]) == "tools"
    assert tokenizer.templates == theirs.chat_template
    assert ModelTokenizer.load(folder, "short").render([user("x")], [TOOL]) == "short"


def test_named_templates_in_the_config_without_a_default_must_be_chosen(tmp_path):
    named = [{"name": "rag", "template": "r"}, {"name": "short", "template": "s"}]
    folder = tiny_tokenizer(tmp_path, template=None, chat_template=named)
    assert ModelTokenizer.load(folder, "short").render([user("x")]) == "s"
    with pytest.raises(BadInput) as refusal:
        ModelTokenizer.load(folder).render([user("x")])
    assert "--template rag" in refusal.value.next and "rag, short" in refusal.value.why


def test_special_tokens_are_read_from_all_their_forms(tmp_path):
    folder = tiny_tokenizer(tmp_path, bos="<|im_start|>", template="{{ bos_token }}{{ image_token }}{{ eos_token }}")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"bos_token": {"__type": "AddedToken", "content": "<|im_start|>"}, "image_token": "<|im_end|>"}
    write(folder / "tokenizer_config.json", config)
    write(folder / "special_tokens_map.json", {"eos_token": {"content": "<|endoftext|>", "lstrip": False}})
    text = AutoTokenizer.from_pretrained(folder).apply_chat_template([user("x")], tokenize=False)
    assert ModelTokenizer.load(folder).render([user("x")]) == text == "<|im_start|><|im_end|><|endoftext|>"


def test_added_tokens_declared_in_the_config_alone_are_recognised(tmp_path):
    folder = tiny_tokenizer(tmp_path)
    extra = {"content": "<extra>", "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    config = json.loads((folder / "tokenizer_config.json").read_text())
    write(folder / "tokenizer_config.json", config | {"added_tokens_decoder": {"512": {**extra, "single_word": False}}})
    ours, theirs = ModelTokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    assert ours.encode("a<extra>b") == theirs("a<extra>b")["input_ids"]
    assert ours.special_ids[512]


def test_truncation_and_padding_left_in_the_file_are_off(tmp_path):
    folder = tiny_tokenizer(tmp_path)
    backend = ModelTokenizer.load(folder).backend
    backend.enable_truncation(3)
    backend.enable_padding(length=50)
    backend.save(str(folder / "tokenizer.json"))
    text = "You are a helpful assistant who answers questions."
    assert len(ModelTokenizer.load(folder).encode(text)) not in (3, 50)
    assert ModelTokenizer.load(folder).decode(ModelTokenizer.load(folder).encode(text)) == text


def test_without_a_tokenizer_the_file_is_named(tmp_path):
    with pytest.raises(NotFound) as refusal:
        ModelTokenizer.load(tmp_path)
    assert "tokenizer.json" in refusal.value.why and refusal.value.next


def test_a_model_without_a_template_still_reads_text_and_names_the_flag(tmp_path):
    tokenizer = ModelTokenizer.load(tiny_tokenizer(tmp_path, template=None))
    assert tokenizer.decode(tokenizer.encode("Hello")) == "Hello" and tokenizer.stop_ids
    with pytest.raises(BadInput) as refusal:
        tokenizer.render([user("x")])
    assert "--template chatml" in refusal.value.next and refusal.value.field == "template"


def test_a_built_in_template_is_taken_when_chosen(tmp_path):
    folder = tiny_tokenizer(tmp_path, template=None)
    assert built_in_templates() == ["chatml", "plain"]
    assert ModelTokenizer.load(folder, "chatml").render([user("x")], None, True) == ours_chatml()
    assert ModelTokenizer.load(folder, "plain").render([user("x")], None, True) == "User: x\n\nAssistant:"
    for name in built_in_templates():
        with pytest.raises(BadInput, match="tools"):
            ModelTokenizer.load(folder, name).render([user("x")], [TOOL])
        with pytest.raises(BadInput, match="tools"):
            ModelTokenizer.load(folder, name).render([user("x"), assistant("", tool_calls=[CALL])])


def ours_chatml() -> str:
    return "<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n"


def test_an_unknown_or_unfitting_template_is_refused(tmp_path):
    folder = tiny_tokenizer(tmp_path, template=CHATML, special=("</s>",), eos="</s>", pad=None)
    with pytest.raises(BadInput) as refusal:
        ModelTokenizer.load(folder, "nothing")
    assert "chatml, plain" in refusal.value.why
    with pytest.raises(BadInput) as refusal:
        ModelTokenizer.load(folder, "chatml")
    assert "--template plain" in refusal.value.next


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b'{"version": "1.0", "model": '),
        ("tokenizer.json", b"{}"),
        ("tokenizer_config.json", b"[1]"),
        ("tokenizer_config.json", b'{"chat_template": ['),
        ("tokenizer_config.json", b'{"chat_template": ["x"]}'),
        ("config.json", b"\xff\xfe"),
        ("chat_template.jinja", b"\xff\xfe\x80"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content):
    folder = tiny_model(tmp_path / "model")
    (folder / name).write_bytes(content)
    with pytest.raises(Broken) as refusal:
        ModelTokenizer.load(folder)
    assert name in refusal.value.what and refusal.value.why and refusal.value.next


def test_every_way_to_damage_a_folder_gives_one_of_our_errors(tmp_path):
    folder = tiny_model(tmp_path / "model")
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json", "generation_config.json"):
        whole = (folder / name).read_bytes()
        for share in (0.0, 0.3, 0.7, 0.99):
            copy = shutil.copytree(folder, tmp_path / "copy")
            (copy / name).write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(StudioError):
                ModelTokenizer.load(copy)
            shutil.rmtree(copy)
