"""A tokenizer of 512 tokens and a random Llama of some hundred kilobytes, made in milliseconds without torch.

Both are folders such as `models/NAME` of a workspace holds, and load in Transformers as well as in the studio.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 512
CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SENTENCES = (
    "You are a helpful assistant who answers questions about invoices and deliveries.",
    "Hello, how are you today? I would like to know where my parcel is.",
    "The capital of France is Paris, and the capital of Italy is Rome.",
    "Please write to the support desk; they will answer within two working days.",
    "user assistant system tool: name, arguments, content, result",
    "Zażółć gęślą jaźń. Größe, Straße, naïve café. Привет, как дела? 你好，世界。 🙂👍",
    "0 1 2 3 4 5 6 7 8 9 10 20 30 100 2024 2025",
)


def tiny_tokenizer(
    folder: Path,
    *,
    template: str | None = CHATML,
    special: tuple[str, ...] = SPECIAL,
    bos: str | None = None,
    eos: str = "<|im_end|>",
    pad: str | None = "<|endoftext|>",
    **config: Any,
) -> Path:
    """Writes a byte-level BPE tokenizer of `VOCABULARY` tokens, with `template` as its chat template, to `folder`.

    Args:
        folder: made when missing.
        template: the chat template, in tokenizer_config.json; None for a tokenizer without one.
        special: the special tokens, at least `bos`, `eos` and `pad`.
        config: more fields of tokenizer_config.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    # Every tokenizer has the same size, whatever the sentences were good for, so that every tiny model fits.
    tokenizer.add_tokens([f"<extra_{n}>" for n in range(VOCABULARY - tokenizer.get_vocab_size())])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    fields = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 512,
        "clean_up_tokenization_spaces": False,
        "bos_token": bos,
        "eos_token": eos,
        "pad_token": pad,
        "chat_template": template,
        **config,
    }
    write(folder / "tokenizer_config.json", {key: value for key, value in fields.items() if value is not None})
    return folder


def tiny_model(folder: Path, hidden: int = 32, layers: int = 2, *, seed: int = 0, **tokenizer: Any) -> Path:
    """Writes a random Llama (safetensors, tied embeddings, 4 heads, 512 positions) with a tiny tokenizer to `folder`.

    Args:
        folder: made when missing; becomes what `models/NAME` of a workspace is.
        hidden: width, a multiple of 8.
        layers: depth.
        seed: the same seed gives the same weights.
        tokenizer: for `tiny_tokenizer`.
    """
    tiny_tokenizer(folder, **tokenizer)
    ids = Tokenizer.from_file(str(folder / "tokenizer.json"))
    names = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": hidden // 4,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": ids.token_to_id(names["bos_token"]) if "bos_token" in names else None,
        "eos_token_id": ids.token_to_id(names["eos_token"]),
        "pad_token_id": ids.token_to_id(names["pad_token"]) if "pad_token" in names else None,
        "dtype": "float32",
    }
    write(folder / "config.json", config)
    write(folder / "generation_config.json", {key: config[key] for key in ("bos_token_id", "eos_token_id")})
    save_file(_weights(hidden, layers, seed), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _weights(hidden: int, layers: int, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = {"model.embed_tokens.weight": (VOCABULARY, hidden), "model.norm.weight": (hidden,)}
    for layer in range(layers):
        part = f"model.layers.{layer}"
        shapes |= {
            f"{part}.self_attn.q_proj.weight": (hidden, hidden),
            f"{part}.self_attn.k_proj.weight": (hidden // 2, hidden),
            f"{part}.self_attn.v_proj.weight": (hidden // 2, hidden),
            f"{part}.self_attn.o_proj.weight": (hidden, hidden),
            f"{part}.mlp.gate_proj.weight": (2 * hidden, hidden),
            f"{part}.mlp.up_proj.weight": (2 * hidden, hidden),
            f"{part}.mlp.down_proj.weight": (hidden, 2 * hidden),
            f"{part}.input_layernorm.weight": (hidden,),
            f"{part}.post_attention_layernorm.weight": (hidden,),
        }
    return {
        name: np.ones(shape, np.float32)
        if "norm" in name
        else random.normal(0, 0.02 if "embed" in name else hidden**-0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=2), encoding="utf-8")
