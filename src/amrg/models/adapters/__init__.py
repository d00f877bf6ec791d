"""LoRA adapters on disk, of amrg and of other tools: read one, place its tensors in a base, attach, merge."""
