"""The engine of a model in vLLM, in this process: the prompt's token ids are those of the local engine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from math import exp
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from amrg.birads import AnswerForm
from amrg.core.errors import first_line
from amrg.core.hashing import sha256_of_text
from amrg.core.telemetry import turn_off_telemetry
from amrg.generation.engines.base import GREEDY, Generation, InProcess, ModelIdentity, Request, Unanswered
from amrg.generation.engines.probes import prove
from amrg.generation.engines.vllm_prompt import prompt_ids
from amrg.models.adapters.files import is_adapter
from amrg.models.backbones.base import Backbone
from amrg.models.backbones.registry import backbone_of
from amrg.models.errors import ModelError
from amrg.models.known_answers import LIKELIEST, KnownAnswer, KnownAnswers, ServedAnswer
from amrg.models.settings import ModelSettings
from amrg.models.views import to_pil

TOGETHER = 64
"""Studies that are handed to vLLM at a time, where nobody says how many: it batches them itself."""
MOST_IMAGES = 16


@dataclass(frozen=True)
class VLLMEngine(InProcess):
    """A model loaded by vLLM, whose module is `library`.

    Texts are greedy; there are no image features, as of any model that locates none.
    """

    library: Any
    llm: Any
    backbone: Backbone
    processor: Any
    config: Any
    known: KnownAnswers
    settings: ModelSettings
    identity: ModelIdentity
    max_batch: int
    notes: tuple[str, ...] = ()
    decoding: str = GREEDY

    @property
    def place(self) -> str:
        """Its name in messages."""
        return "vllm"

    def generate(self, requests: Sequence[Request]) -> Iterator[Generation | Unanswered]:
        """Greedy texts; one that is cut at its length is unanswered."""
        limit = self.settings.max_new_tokens
        for start in range(0, len(requests), self.max_batch):
            group = requests[start : start + self.max_batch]
            for made in self._run(group, self.settings, limit):
                (answer,) = made.outputs
                if answer.finish_reason == "stop":
                    yield Generation(self._text(answer.token_ids))
                else:
                    yield Unanswered(f"vllm: its answer ended with {answer.finish_reason!r} after {limit} tokens")

    def answer(self, known: KnownAnswer, request: Request) -> tuple[ServedAnswer, int | None]:
        """The answer to a known study, with odds."""
        (made,) = self._run([request], self.known.settings, len(known.positions), LIKELIEST)
        (answer,) = made.outputs
        tokens = tuple(self.processor.tokenizer.decode([token]) for token in answer.token_ids)
        odds = tuple(self._odds(entry) for entry in answer.logprobs or ())
        return ServedAnswer(self._text(answer.token_ids), tokens, odds), len(made.prompt_token_ids)

    def prompt_ids(self, known: KnownAnswer, request: Request) -> tuple[int, ...] | None:
        """The prompt's token ids as vLLM runs them, images included."""
        (made,) = self._run([request], self.known.settings, 1)
        return tuple(made.prompt_token_ids)

    def _odds(self, entry: Any) -> dict[str, float]:
        """Probabilities by text: of tokens with the same text, their sum."""
        found: dict[str, float] = {}
        for token, value in entry.items():
            text = self.processor.tokenizer.decode([token])
            found[text] = found.get(text, 0.0) + exp(value.logprob)
        return found

    def _run(
        self, requests: Sequence[Request], settings: ModelSettings, max_tokens: int, odds: int | None = None
    ) -> list[Any]:
        """vLLM's outputs, in order."""
        end = self.backbone.eos_token_id(self.processor)
        sampling = self.library.SamplingParams(
            temperature=0.0, max_tokens=max_tokens, repetition_penalty=1.0, stop_token_ids=[end], logprobs=odds
        )
        prompts = [self._prompt(request, settings) for request in requests]
        made: list[Any] = self.llm.generate(prompts, sampling, use_tqdm=False)
        return made

    def _prompt(self, request: Request, settings: ModelSettings) -> dict[str, Any]:
        """Token ids with one placeholder an image, which vLLM makes as many of as the image takes, and the images."""
        return {
            "prompt_token_ids": prompt_ids(self.processor, settings, request.views, request.images),
            "multi_modal_data": {"image": [to_pil(image) for image in request.images]},
        }

    def _text(self, tokens: Sequence[int]) -> str:
        """Token ids as the text that the local engine makes of them."""
        end = self.backbone.eos_token_id(self.processor)
        row = list(tokens)[:-1] if tokens and tokens[-1] == end else list(tokens)
        text: str = self.processor.tokenizer.decode(row, skip_special_tokens=True)
        return text.strip()


def _library() -> Any:
    """vLLM's module, with its log on standard error: standard output is for results.

    Raises:
        ModelError: it is not installed.
    """
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # both are read when it is imported
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    turn_off_telemetry()
    try:
        return import_module("vllm")
    except ModuleNotFoundError as error:
        if error.name != "vllm":
            raise
        raise ModelError("--engine vllm needs vLLM, which is not installed; docs/serving.md says how to") from error


def _prompting(folder: Path, known: KnownAnswers) -> tuple[Any, Backbone, Any]:
    """The configuration, the family and the processor of a model, which make its prompts.

    Raises:
        ModelError: its files are not there, or it is of no family whose prompts vLLM can be given.
    """
    try:
        config = AutoConfig.from_pretrained(folder, revision=known.commit)
        backbone = backbone_of(config.model_type)
        if backbone is None:
            raise ModelError(f"model {folder.name} is of class {config.model_type!r}, which amrg has no prompt for")
        processor = backbone.load_processor(str(folder), known.commit, known.settings)
    except ModelError:
        raise
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model {folder}: cannot be loaded ({first_line(error)}); expected its weights and processor there, beside "
            "its known answers: export it again, or copy the whole folder"
        ) from error
    if getattr(processor, "chat_template", None) is None:
        raise ModelError(
            f"model {folder.name} is of class {config.model_type!r}: --engine vllm makes prompts by a processor's chat "
            "template, and its processor has none; serve it, and name the server with --engine openai:URL"
        )
    return config, backbone, processor


def load(model: str, known: KnownAnswers, max_batch: int | None = None, answer: AnswerForm | None = None) -> VLLMEngine:
    """A model loaded by vLLM, proven by its known answers; `answer` is the form requested of it (None: its own).

    `model` is the folder of the known answers. The weights are there too, or where these say, at the commit they name.

    Raises:
        ModelError: it is an adapter, cannot be loaded or prompted, or answers otherwise than it is known to.
    """
    folder = Path(known.source or model)
    if is_adapter(folder):
        raise ModelError(f"model {folder.name}: an adapter; for --engine vllm export it with `amrg export --merge`")
    config, backbone, processor = _prompting(folder, known)
    accelerated = torch.cuda.is_available()
    library = _library()
    llm = library.LLM(
        model=str(folder),
        revision=known.commit,
        tokenizer_revision=known.commit,
        dtype="bfloat16" if accelerated else "float32",  # as the local engine computes
        limit_mm_per_prompt={"image": MOST_IMAGES, "video": 0},
        generation_config="vllm",
        enforce_eager=not accelerated,  # compiling for a processor takes minutes
        seed=0,
    )
    settings = known.settings if answer is None else known.settings.model_copy(update={"answer": answer})
    engine = VLLMEngine(
        library,
        llm,
        backbone,
        processor,
        config,
        known,
        settings,
        ModelIdentity(
            name=known.name,
            weights=known.weights,
            device=f"vllm, {llm.llm_engine.vllm_config.device_config.device_type}",
            dtype=str(llm.llm_engine.vllm_config.model_config.dtype).removeprefix("torch."),
            chat_template=sha256_of_text(processor.chat_template),
        ),
        max_batch or TOGETHER,
    )
    return replace(engine, notes=prove(engine, known).notes)
