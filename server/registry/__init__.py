"""The registry while the server runs: what is in it, how it changes, and what decisions see of it.

`tables` knows what an entry may say, `file_entries` what the configuration file does, `views` what a namespace sees,
`consistency` what has to fit together, `changes` what becomes of a wish, `live` keeps it all in step with the store,
and `rpc` speaks the contract.
"""
