@echo off
rem Start the studio. The first start makes the Python environment (see install.py for what can be chosen there).
rem   run.bat                  the studio, in the browser
rem   run.bat studio --help    the studio with flags for its server
rem   run.bat convert --help   anything else: python -m rvc
setlocal
call "%~dp0environment.bat"
if errorlevel 1 (
    if "%~1"=="" pause
    exit /b 1
)
if "%~1"=="" (
    "%PYTHON%" "%~dp0app.py"
    if errorlevel 1 pause
    exit /b
)
if /i "%~1"=="studio" goto studio
rem -P: a folder called rvc in the folder the command is given from must not be taken for ours.
"%PYTHON%" -P -m rvc %*
exit /b %errorlevel%

:studio
for /f "tokens=1,*" %%a in ("%*") do "%PYTHON%" "%~dp0app.py" %%b
exit /b %errorlevel%
