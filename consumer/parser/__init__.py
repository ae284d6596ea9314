"""From text to components: tokenizer, windows, encoder, span decoder, completion."""
