"""The embedded model's tokenizer: byte-level BPE over rendered reports, with Gemma 3's own special tokens.

Merges may cross spaces within a phrase (SuperBPE, Liu 2025), so that a report takes a third of the tokens: a place, a
category or a composition is one choice. Descriptors stay words of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import Gemma3ImageProcessorPil, Gemma3Processor, PreTrainedTokenizerFast

from amrg.models.embedded.tokens import (
    BEGIN,
    BEGIN_OF_IMAGE,
    END,
    END_OF_IMAGE,
    END_OF_TURN,
    IMAGE,
    PAD,
    SPECIAL,
    UNKNOWN,
)
from amrg.models.settings import ModelSettings

# Runs of line ends are single tokens in Gemma 3, and serving engines look them up by name.
LINE_ENDS = ("\n", "\n\n", "\n\n\n", "\n\n\n\n")

# What may become one token: a place or companion after a comma, a sentence after a colon, a bracket, a breast, a
# heading; else a word.
PHRASES = (
    r", [^,:(\n]*[^,:(\s]|: [A-Z](?:[^,:(\n]*[^,:(\s])?| \([^)\n]*\)\.?"
    r"|[A-Z][a-z]+ breast|[A-Z][A-Z ]*[A-Z]| ?[^\s,:(]+|\s|."
)

# Gemma 3's turns: roles `user` and `model`, no system role, images where the content has them.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}"
    "{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}{{ '<start_of_image>' }}"
    "{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}"
    "{% endfor %}{% endif %}{{ '<end_of_turn>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of the tokens that a configuration names."""

    size: int
    pad: int
    begin: int
    end_of_turn: int
    begin_of_image: int
    end_of_image: int
    image: int


def train_tokenizer(corpus: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of at most `size` tokens: any text can be written, none is unknown."""
    core = Tokenizer(models.BPE(unk_token=None))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PHRASES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(LINE_ENDS),
        special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(corpus, trainer)
    core.add_tokens([AddedToken(t, normalized=False) for t in LINE_ENDS])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=END,
        bos_token=BEGIN,
        unk_token=UNKNOWN,
        padding_side="left",
        extra_special_tokens={
            "boi_token": BEGIN_OF_IMAGE,
            "eoi_token": END_OF_IMAGE,
            "image_token": IMAGE,
        },
    )


def vocabulary(tokenizer: PreTrainedTokenizerFast) -> Vocabulary:
    """The numbers that a model's configuration needs."""
    number = tokenizer.convert_tokens_to_ids
    return Vocabulary(
        size=len(tokenizer),
        pad=number(PAD),
        begin=number(BEGIN),
        end_of_turn=number(END_OF_TURN),
        begin_of_image=number(BEGIN_OF_IMAGE),
        end_of_image=number(END_OF_IMAGE),
        image=number(IMAGE),
    )


def build_processor(tokenizer: PreTrainedTokenizerFast, settings: ModelSettings, tokens_a_view: int) -> Gemma3Processor:
    """Gemma 3's own processor around a tokenizer: each image is taken as one, no pan and scan."""
    size = settings.encoding.size
    images = Gemma3ImageProcessorPil(
        size={"height": size, "width": size},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
        do_pan_and_scan=False,
    )
    return Gemma3Processor(
        image_processor=images,
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
        image_seq_length=tokens_a_view,
    )
