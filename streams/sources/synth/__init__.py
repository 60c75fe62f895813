"""A synthetic bank: people with lives, whose causes are known to whoever made them."""

from streams.sources.synth.bank import SOURCE, Bank, synth

__all__ = ["SOURCE", "Bank", "synth"]
