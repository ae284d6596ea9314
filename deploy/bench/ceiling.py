"""The ceiling: the fastest that a plain loop over the same network goes on this machine.

A program of its own, on transformers and tokenizers alone: nothing of the engine may be
imported here, or the comparison would share its faults. Tokenization is in the time; all
addresses are sorted by length before they are cut into batches, which no stream could do.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main(job_path: str) -> None:
    """Run a job file; print one JSON line per token budget: seconds and batches.

    The job: ``{"directory", "addresses", "token_budgets", "device"}``; ``directory`` holds
    ``config.json``, ``vocab.txt`` and ``model.safetensors``. In fp16 on ``cuda``, as the worker.
    """
    from tokenizers import BertWordPieceTokenizer

    job = json.loads(Path(job_path).read_text(encoding="utf-8"))
    directory = Path(job["directory"])
    tokenizer = BertWordPieceTokenizer(str(directory / "vocab.txt"), lowercase=True)
    network = _network(directory).to(job["device"])
    if network.device.type == "cuda":
        network = network.half()
    texts = job["addresses"]
    _run(network, tokenizer, texts[:64], 512)
    for budget in job["token_budgets"]:
        began = time.perf_counter()
        batches = _run(network, tokenizer, texts, budget)
        seconds = time.perf_counter() - began
        print(json.dumps({"token_budget": budget, "seconds": seconds, "batches": batches}))
        sys.stdout.flush()


def _network(directory: Path) -> Any:
    import transformers
    from safetensors.torch import load_file

    bert: Any = transformers  # it declares types for some of its code only
    config = bert.BertConfig.from_pretrained(str(directory), attn_implementation="sdpa")
    network = bert.BertForTokenClassification(config)
    stored = load_file(directory / "model.safetensors")
    # Stored names are MGeo's or transformers'; the buffer is transformers' own affair.
    weights = {
        name.replace("bert.text_encoder.", "bert.", 1): tensor.float()
        for name, tensor in stored.items()
        if not name.endswith("position_ids")
    }
    network.load_state_dict(weights)
    return network.eval()


def _run(network: Any, tokenizer: Any, texts: list[str], token_budget: int) -> int:
    import torch

    rows = sorted((encoding.ids for encoding in tokenizer.encode_batch(texts)), key=len)
    batches, start = 0, 0
    with torch.inference_mode():
        while start < len(rows):
            end = start + 1
            while end < len(rows) and len(rows[end]) * (end + 1 - start) <= token_budget:
                end += 1
            width = len(rows[end - 1])
            ids = torch.zeros((end - start, width), dtype=torch.long)
            mask = torch.zeros((end - start, width), dtype=torch.long)
            for index, row in enumerate(rows[start:end]):
                ids[index, : len(row)] = torch.tensor(row)
                mask[index, : len(row)] = 1
            # No mask where nothing is padded: then attention takes its faster way.
            padded = bool((mask == 0).any())
            given = {"input_ids": ids.to(network.device)}
            if padded:
                given["attention_mask"] = mask.to(network.device)
            network(**given).logits.argmax(-1).cpu()
            batches += 1
            start = end
    return batches


if __name__ == "__main__":
    main(sys.argv[1])
