"""The names of the embedded model's special tokens: Gemma 3's own."""

PAD, END, BEGIN, UNKNOWN = "<pad>", "<eos>", "<bos>", "<unk>"
START_OF_TURN, END_OF_TURN = "<start_of_turn>", "<end_of_turn>"
BEGIN_OF_IMAGE, END_OF_IMAGE, IMAGE = "<start_of_image>", "<end_of_image>", "<image_soft_token>"
SPECIAL = (PAD, END, BEGIN, UNKNOWN, START_OF_TURN, END_OF_TURN, BEGIN_OF_IMAGE, END_OF_IMAGE, IMAGE)
