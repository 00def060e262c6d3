"""Anthropic's Messages API for callers (https://docs.anthropic.com/en/api/messages), translated to and from OpenAI's.

The inverse of `adapters.providers.formats.anthropic_format`: there models are spoken to in it, here callers speak it.
"""
