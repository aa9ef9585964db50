"""Hugging Face `tokenizer.json`: Unigram, and BPE (byte-level, or with byte fallback)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from corpustools.errors import DataError, UnsupportedModel
from corpustools.stages.tokenize.models import hf_vocabulary
from corpustools.stages.tokenize.models.hf_merges import merges_of
from corpustools.stages.tokenize.models.model import Model
from corpustools.stages.tokenize.text import hf_normalize, hf_split
from corpustools.stages.tokenize.text.byte_alphabet import byte_alphabet
from corpustools.stages.tokenize.text.hf_decode import Decoder
from corpustools.stages.tokenize.text.hf_dropped import Dropping
from corpustools.stages.tokenize.text.hf_text import AddedToken, HuggingFaceNormalizer, Rewrite, private
from corpustools.stages.tokenize.text.hf_unknown import KnownOnly, UnknownPiece
from corpustools.stages.tokenize.text.normalize import Normalizer

CONTROL_NAMES = {
    "bos": ("<s>", "<bos>", "<|begin_of_text|>", "<BOS_TOKEN>", "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "[CLS]"),
    "eos": (
        *("</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "<EOS_TOKEN>"),
        *("<\uff5cend\u2581of\u2581sentence\uff5c>", "[SEP]"),
    ),
    "pad": ("<pad>", "[PAD]", "<PAD>", "<|finetune_right_pad_id|>"),
}


def parse(content: dict[str, Any], name: str) -> Model:
    """Return the model of a tokenizer.json object.

    Raises:
        DataError: a malformed object.
        UnsupportedModel: another kind of model, or a respect of it that is not done here; the text names it.
    """
    try:
        return _parse(content)
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{name}: {error.what}", error.remedy) from error
    except DataError as error:
        raise DataError(f"{name}: {error.what}", error.remedy) from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise DataError(f"{name} is malformed ({type(error).__name__}: {error})") from error


def _parse(content: dict[str, Any]) -> Model:
    spec = content["model"]
    kind = _kind(content)
    tokens, scores = hf_vocabulary.unigram(spec) if kind == "Unigram" else hf_vocabulary.bpe(spec)
    size, unknown = len(tokens), _unknown(spec, tokens, kind)
    places = {token: i for i, token in enumerate(tokens)}
    added, notes = hf_vocabulary.added_tokens(content.get("added_tokens") or [], tokens, places)
    weighted, byte_level = kind == "Unigram", hf_split.byte_level(content.get("pre_tokenizer"))
    byte_ids = None if byte_level and not weighted else hf_vocabulary.byte_ids(spec, places, size)
    if unknown is None and not (byte_level or byte_ids or weighted):
        raise UnsupportedModel("the model has no unknown token, so that it drops characters")
    others = [unknown, *(byte_ids or [])] if weighted and unknown is not None else []
    made = hf_vocabulary.make_pieces(tokens, size, added, weighted=weighted, byte_level=byte_level, others=others)
    if made.missing and (weighted or unknown is not None or spec.get("ignore_merges")):
        raise UnsupportedModel(f"the byte-level vocabulary has no piece for the byte 0x{made.missing[0]:02X}")
    unknown_score = float(scores.min()) - 10 if weighted else 0.0
    rewrite: Rewrite | None = None
    if weighted:
        by_text = dict(zip(tokens, scores.tolist(), strict=False))
        rewrite = _rewrite(by_text, tokens, unknown, unknown_score, byte_ids, byte_level=byte_level)
        byte_ids = None if unknown is None or byte_level else byte_ids
    merges = None if weighted else merges_of(spec, tokens[:size], made, byte_level=byte_level)
    before, behind = _around(content.get("post_processor"))
    model = Model(
        kind=f"hf-{kind.lower()}",
        pieces=made.pieces,
        scores=np.append(scores, np.zeros(len(made.pieces) - size)),
        arc=made.arc,
        weighted=weighted,
        unit="byte-level" if byte_level else "character",
        unknown_id=None if byte_level else unknown,
        unknown_score=unknown_score,
        fuse_unknown=bool(spec.get("fuse_unk", False)) if kind == "BPE" else True,
        byte_ids=None if byte_ids is None else np.array(byte_ids, np.int32),
        user_defined=np.zeros(len(made.pieces), np.bool_),
        control=_control(places, added if not weighted else [], None if byte_level else unknown, before, behind),
        normalizer=_normalizer(content, added, made, rewrite),
        cuts="marks",
        special=_special(added, unknown),
        outputs=made.outputs,
        decoder=_decoder(content, tokens, added),
        notes=(*notes, *_additions(before, behind), *_dropout(spec), *_missing(made.missing)),
        merges=merges,
    )
    if unknown is None and byte_ids is not None:
        return _hide_unknown(model)
    return _part_unknown(model, unknown) if unknown is not None and byte_ids is None and not byte_level else model


def _rewrite(
    scores: dict[str, float],
    tokens: list[str],
    unknown: int | None,
    unknown_score: float,
    byte_ids: list[int] | None,
    *,
    byte_level: bool,
) -> Rewrite | None:
    """Return what is done to the text of a Unigram model that holds unknown characters."""
    if unknown is not None and tokens[unknown]:
        alphabet = byte_alphabet() if byte_level else None
        return UnknownPiece(scores, (tokens[unknown], unknown), unknown_score, byte_ids, alphabet)
    if unknown is None and not byte_level:
        return KnownOnly(frozenset(token for token in scores if len(token) == 1))
    return None


def _kind(content: dict[str, Any]) -> str:
    """Return BPE or Unigram, or refuse what is not done here whatever the vocabulary."""
    spec = content["model"]
    kind = spec.get("type") or ("BPE" if "merges" in spec else "Unigram" if "unk_id" in spec else None)
    if kind not in ("BPE", "Unigram"):
        raise UnsupportedModel(f"the model type {kind!r} is not supported", "Unigram and BPE are")
    for respect in ("continuing_subword_prefix", "end_of_word_suffix"):
        if kind == "BPE" and spec.get(respect):
            raise UnsupportedModel(f"the BPE {respect} {spec[respect]!r} is not supported")
    for respect in ("truncation", "padding"):
        if content.get(respect) is not None:
            raise UnsupportedModel(
                f"the file's {respect} of every text is not supported", f"set '{respect}' to null in a copy of the file"
            )
    return str(kind)


def _unknown(spec: dict[str, Any], tokens: list[str], kind: str) -> int | None:
    if kind == "Unigram":
        i = spec.get("unk_id")
        if i is not None and (type(i) is not int or not 0 <= i < len(tokens)):
            raise DataError(f"unk_id is {i!r}")
        return i
    text = spec.get("unk_token")
    return tokens.index(text) if text else None


def _hide_unknown(model: Model) -> Model:
    """Return the model with an unknown id beyond its vocabulary: bytes take its place in every output."""
    return replace(
        model,
        unknown_id=len(model.pieces),
        pieces=[*model.pieces, b""],
        scores=np.append(model.scores, 0.0),
        arc=np.append(model.arc, False),
        user_defined=np.append(model.user_defined, False),
        outputs=None if model.outputs is None else np.append(model.outputs, np.int32(0)),
    )


def _part_unknown(model: Model, unknown: int) -> Model:
    """Return the model with a piece of its own for unknown characters, where text can be the unknown token as well.

    Both are written as the same id, and only one of them is a special token made of text.
    """
    outputs = np.arange(len(model.pieces), dtype=np.int32) if model.outputs is None else model.outputs
    if not model.arc[outputs == unknown].any():
        return model
    return replace(_hide_unknown(model), outputs=np.append(outputs, np.int32(unknown)))


def _special(added: list[AddedToken], unknown: int | None) -> frozenset[int]:
    found = frozenset(token.i for token in added if token.special)
    return found if unknown is None else found | {unknown}


def _control(
    places: dict[str, int], added: list[AddedToken], unknown: int | None, before: list[str], behind: list[str]
) -> dict[str, int]:
    """Return the ids under names; what the post_processor puts around a text is the best witness.

    `places` are the ids of all tokens. Where `added` has special tokens, only they have a role: web text makes pieces
    such as </s>, too.
    """
    named = {token.content: token.i for token in added if token.special} or places
    control = {role: named[text] for role, texts in CONTROL_NAMES.items() for text in texts[::-1] if text in named}
    for role, texts in (("bos", before), ("eos", behind)):
        if len(texts) == 1 and texts[0] in places:
            control[role] = places[texts[0]]
    return control if unknown is None else control | {"unk": unknown}


def _around(spec: Any) -> tuple[list[str], list[str]]:
    """Return the tokens that a post_processor puts before and behind a text."""
    if spec is None:
        return [], []
    kind = spec.get("type") if isinstance(spec, dict) else None
    if kind == "Sequence":
        pairs = [_around(part) for part in spec["processors"]]
        return [one for before, _ in reversed(pairs) for one in before], [one for _, behind in pairs for one in behind]
    if kind in ("BertProcessing", "RobertaProcessing"):
        return [str(spec["cls"][0])], [str(spec["sep"][0])]
    if kind == "TemplateProcessing":
        names = [part["SpecialToken"]["id"] if "SpecialToken" in part else None for part in spec["single"]]
        place = names.index(None)
        return [str(name) for name in names[:place]], [str(name) for name in names[place + 1 :] if name is not None]
    if kind == "ByteLevel":
        return [], []
    raise UnsupportedModel(f"the post_processor {kind!r} is not supported")


def _additions(before: list[str], behind: list[str]) -> list[str]:
    """Return what there is to say of tokens that the library puts around a text."""
    if not before and not behind:
        return []
    parts = [f"{' '.join(texts)} {place}" for texts, place in ((before, "before"), (behind, "behind")) if texts]
    return [
        f"the tokenizers library puts {' and '.join(parts)} every text by default (post_processor of the file); "
        "here bos and eos ask for them"
    ]


def _dropout(spec: dict[str, Any]) -> list[str]:
    """Return what there is to say of merges that the library leaves out at random."""
    if spec.get("type", "BPE") != "BPE" or not spec.get("dropout"):
        return []
    return [f"the file's dropout of {spec['dropout']} is left out: canonical ids are those of all merges"]


def _missing(missing: bytes) -> list[str]:
    """Return what there is to say of bytes without a piece."""
    if not missing:
        return []
    named = ", ".join(f"0x{byte:02X}" for byte in missing[:3]) + " …" * (len(missing) > 3)
    return [f"the vocabulary has no piece for {len(missing)} of the bytes of text ({named}): they are left out"]


def _normalizer(
    content: dict[str, Any],
    added: list[AddedToken],
    made: hf_vocabulary.Pieces,
    rewrite: Rewrite | None,
) -> Normalizer:
    steps = hf_normalize.build(content.get("normalizer"))
    found = [replace(token, content=text) for token, text in _looked_for(steps, added)]
    surfaces = {private(token.i): token.content.encode() for token in added} | hf_vocabulary.odd_surfaces(made.odd)
    if made.outputs is not None:
        surfaces |= {
            private(i): made.pieces[i] for i in made.outputs[made.outputs < np.arange(len(made.outputs))].tolist()
        }
    normalizer = HuggingFaceNormalizer(
        content.get("normalizer"), content.get("pre_tokenizer"), found, made.odd, surfaces, rewrite
    )
    return Dropping(normalizer, made.missing) if made.missing else normalizer


def _looked_for(steps: list[hf_normalize.Step], added: list[AddedToken]) -> list[tuple[AddedToken, str]]:
    """Return each added token with the text that is looked for: normalised where the token is."""
    found = []
    seen: dict[tuple[bool, str], str] = {}
    for token in added:
        text = token.content
        for step in steps if token.normalized else ():
            text = step.apply(text)
        if not text:
            raise UnsupportedModel(f"nothing is left of the added token {token.content!r} when it is normalised")
        other = seen.setdefault((token.normalized, text), token.content)
        if other != token.content:
            raise UnsupportedModel(f"the added tokens {other!r} and {token.content!r} are one when they are normalised")
        found.append((token, text))
    return found


def _decoder(content: dict[str, Any], tokens: list[str], added: list[AddedToken]) -> Decoder:
    # A token that is normalised goes into the decoder as it was looked for.
    steps = hf_normalize.build(content.get("normalizer"))
    shown = list(tokens)
    for token, text in _looked_for(steps, added):
        shown[token.i] = text
    return Decoder(shown, frozenset(token.content for token in added if token.special), content.get("decoder"))
