"""What policies reach: in worlds, on traffic that was, and on pages that show it.

`simulate` runs policies in a world (`world`, `scenario`, `worlds/` for those of a file, `compare`, `peers/`); `replay/`
lets a learning policy live through a log; `offpolicy/` tells what given policies would have been worth on it; `page/`
draws what these found; `logs/` invents traffic whose truth is known; `demo/` plays against a real server.
"""
