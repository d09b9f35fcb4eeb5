"""What is only speed or memory, a call for the network in each module: it chooses by itself how to answer.

Linear layers (`products`), layers on some tokens at a time (`parts`), windows (`windows`), self-attention
with relative positions (`attention`), attention between token sets (`cross_attention`), upscaling
(`upscaling`), and any number of prompts (`many_prompts`). All compute what the paper says; tests hold each
against a plain definition.
"""
