"""Phi-3.5-vision, built on transformers' Phi-3 and CLIP: transformers no longer has it, and remote code is not run."""

from amrg.models.phi3v.configuration import Phi3VConfig
from amrg.models.phi3v.cutting import Cutting
from amrg.models.phi3v.modeling import Phi3VForCausalLM, Phi3VModel
from amrg.models.phi3v.processor import Phi3VProcessor

__all__ = ["Cutting", "Phi3VConfig", "Phi3VForCausalLM", "Phi3VModel", "Phi3VProcessor"]
