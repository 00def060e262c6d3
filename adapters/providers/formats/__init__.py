"""What providers speak, as pure translations from and to OpenAI's chat completions.

chat_format                     what a format has to do
openai_format, openai_answers   OpenAI's and Azure's, whose bytes pass as they are
anthropic_*, gemini_*           those that are translated, with conversation, request_*, posts and completions
failures                        how a response that is no 200 is told apart
"""
